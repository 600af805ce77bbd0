import java.io.FileInputStream;
import java.security.MessageDigest;
import java.util.Properties;
import java.util.Set;
import javax.security.auth.Subject;
import org.apache.activemq.artemis.api.core.QueueConfiguration;
import org.apache.activemq.artemis.api.core.RoutingType;
import org.apache.activemq.artemis.api.core.SimpleString;
import org.apache.activemq.artemis.core.config.Configuration;
import org.apache.activemq.artemis.core.config.impl.ConfigurationImpl;
import org.apache.activemq.artemis.core.security.CheckType;
import org.apache.activemq.artemis.core.security.Role;
import org.apache.activemq.artemis.core.server.JournalType;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;
import org.apache.activemq.artemis.core.settings.impl.AddressSettings;
import org.apache.activemq.artemis.spi.core.protocol.RemotingConnection;
import org.apache.activemq.artemis.spi.core.security.ActiveMQSecurityManager5;
import org.apache.activemq.artemis.spi.core.security.jaas.UserPrincipal;

/**
 * An AMQP broker for tests: ArtemisBroker SETTINGS, a properties file written
 * by the starter (artemis.py), which documents its keys.
 *
 * <p>Addresses are queues (ANYCAST), created when first used and never
 * deleted. Below {@code strict.} nothing is created by itself, so that an
 * unknown entity is an error; below {@code forbidden.} nobody may do anything,
 * and {@code forbidden.queue} exists.
 */
public final class ArtemisBroker {
  private static final String STRICT = "strict.";
  private static final String FORBIDDEN = "forbidden.";

  /** Knows one user; lets anonymous clients in unless told otherwise. */
  private static final class Door implements ActiveMQSecurityManager5 {
    private final Properties settings;

    Door(Properties settings) {
      this.settings = settings;
    }

    @Override
    public Subject authenticate(
        String user, String password, RemotingConnection peer, String domain) {
      boolean known =
          user == null
              ? Boolean.parseBoolean(settings.getProperty("anonymous"))
              : user.equals(settings.getProperty("user"))
                  && password != null
                  && MessageDigest.isEqual(
                      password.getBytes(),
                      settings.getProperty("password").getBytes());
      // On the mutual-TLS port the handshake has verified the certificate.
      if (!known && !"certificate".equals(domain)) {
        return null;
      }
      Subject subject = new Subject();
      subject.getPrincipals().add(
          new UserPrincipal(user == null ? "anonymous" : user));
      return subject;
    }

    @Override
    public boolean authorize(
        Subject subject, Set<Role> roles, CheckType check, String address) {
      return !address.startsWith(FORBIDDEN);
    }

    @Override
    public boolean validateUser(String user, String password) {
      return authenticate(user, password, null, null) != null;
    }

    @Override
    public boolean validateUserAndRole(
        String user, String password, Set<Role> roles, CheckType check) {
      return validateUser(user, password);
    }
  }

  private static AddressSettings addressSettings(Properties settings) {
    return new AddressSettings()
        .setDefaultAddressRoutingType(RoutingType.ANYCAST)
        .setDefaultQueueRoutingType(RoutingType.ANYCAST)
        .setAutoDeleteQueues(false)
        .setAutoDeleteAddresses(false)
        .setDeadLetterAddress(SimpleString.of("DLQ"))
        .setExpiryAddress(SimpleString.of("ExpiryQueue"))
        .setMaxDeliveryAttempts(
            Integer.parseInt(settings.getProperty("max.delivery.attempts")))
        .setRedeliveryDelay(
            Long.parseLong(settings.getProperty("redelivery.delay.ms")))
        .setDefaultGroupRebalance(
            Boolean.parseBoolean(settings.getProperty("group.rebalance")))
        .setDefaultGroupRebalancePauseDispatch(
            Boolean.parseBoolean(settings.getProperty("group.rebalance")));
  }

  private static Configuration configuration(Properties settings)
      throws Exception {
    String data = settings.getProperty("data");
    Configuration config =
        new ConfigurationImpl()
            .setName(settings.getProperty("name"))
            .setPersistenceEnabled(true)
            .setJournalType(JournalType.NIO)
            .setJournalDatasync(false)
            .setJournalBufferTimeout_NIO(100_000)
            .setJournalDirectory(data + "/journal")
            .setBindingsDirectory(data + "/bindings")
            .setLargeMessagesDirectory(data + "/large")
            .setPagingDirectory(data + "/paging")
            .setSecurityEnabled(true)
            .setMessageExpiryScanPeriod(500)
            .setMaxDiskUsage(-1);
    for (String key : settings.stringPropertyNames()) {
      if (key.startsWith("acceptor.")) {
        config.addAcceptorConfiguration(
            key.substring("acceptor.".length()), settings.getProperty(key));
      }
    }
    AddressSettings strict = addressSettings(settings);
    strict.setAutoCreateQueues(false).setAutoCreateAddresses(false);
    config.addAddressSetting("#", addressSettings(settings));
    config.addAddressSetting(STRICT + "#", strict);
    for (String name :
        new String[] {"DLQ", "ExpiryQueue", FORBIDDEN + "queue"}) {
      config.addQueueConfiguration(
          QueueConfiguration.of(name).setRoutingType(RoutingType.ANYCAST));
    }
    return config;
  }

  public static void main(String[] args) throws Exception {
    Properties settings = new Properties();
    try (FileInputStream in = new FileInputStream(args[0])) {
      settings.load(in);
    }
    EmbeddedActiveMQ broker = new EmbeddedActiveMQ();
    broker.setConfiguration(configuration(settings));
    broker.setSecurityManager(new Door(settings));
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  try {
                    broker.stop();
                  } catch (Exception e) {
                    e.printStackTrace();
                  }
                }));
    broker.start();
    if (!broker.getActiveMQServer().isActive()) {
      System.err.println("the broker did not become active");
      System.exit(1);
    }
  }
}
