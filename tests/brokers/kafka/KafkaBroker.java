import java.io.File;
import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/**
 * Formats the data directory on the first start, then runs the broker, in one
 * Java machine: KafkaBroker CONFIG CLUSTER_ID SCRAM_FILE.
 *
 * <p>SCRAM_FILE has one credential a line, in StorageTool's syntax; it may be
 * empty. It is a file so that no password stands on a command line.
 */
public final class KafkaBroker {
  public static void main(String[] args) throws Exception {
    Properties config = new Properties();
    try (FileInputStream in = new FileInputStream(args[0])) {
      config.load(in);
    }
    if (!new File(config.getProperty("log.dirs"), "meta.properties").exists()) {
      List<String> format =
          new ArrayList<>(List.of("format", "-t", args[1], "-c", args[0]));
      for (String line : Files.readAllLines(Path.of(args[2]))) {
        format.add("--add-scram");
        format.add(line);
      }
      int code =
          kafka.tools.StorageTool.execute(
              format.toArray(new String[0]), System.out);
      if (code != 0) {
        System.exit(code);
      }
    }
    kafka.Kafka.main(new String[] {args[0]});
  }
}
