// The table of queues, routes and the whole file.
#include <array>
#include <limits>

#include "lib/config/schema.h"

namespace tieline::inline v0 {
namespace config {
namespace {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr int64_t kMaxUInt32 = std::numeric_limits<uint32_t>::max();
constexpr int64_t kMaxBytes = int64_t{1} << 40;

// In the order of the enumerations.
constexpr std::array<std::string_view, 2> kOrders = {"none", "key"};
constexpr std::array<std::string_view, 2> kTunings = {"latency", "throughput"};
constexpr std::array<std::string_view, 2> kMessageIds = {"stamped", "unique"};
constexpr std::array<std::string_view, 2> kWhenDead = {"hold", "proceed"};

constexpr Binding kItself = {.at = [](void* object) { return object; }};

const std::array kFormerBroker = {
    Field{.name = "broker",
          .binding = Bind<&FormerBroker::broker>(),
          .doc = "Name of one of `brokers`.",
          .required = true},
    Field{.name = "generation",
          .kind = Kind::kInteger,
          .binding = Bind<&FormerBroker::generation>(),
          .doc = "The queue's generation there. Default: one less than that of "
                 "the entry below, or of the queue.",
          .min = 1,
          .max = kMaxGeneration},
    Field{.name = "entity",
          .binding = Bind<&FormerBroker::entity>(),
          .doc = "What the queue was called there. Default: as now."},
};

const std::array kQueue = {
    Field{.name = "broker",
          .binding = Bind<&QueueConfig::broker>(),
          .doc = "Name of one of `brokers`.",
          .required = true},
    Field{.name = "generation",
          .kind = Kind::kInteger,
          .binding = Bind<&QueueConfig::generation>(),
          .doc = "Number of the queue's binding to `broker`; each move is a "
                 "higher one, and none is used twice. Default: 1, and 1 more "
                 "for each entry of `was`.",
          .min = 1,
          .max = kMaxGeneration},
    Field{.name = "was",
          .kind = Kind::kObjectList,
          .binding = BindList<&QueueConfig::was>(),
          .doc = "The brokers that it was at and that may still have messages, "
                 "oldest first: names, or mappings as below.",
          .object = &FormerBrokerObject()},
    Field{.name = "entity",
          .binding = Bind<&QueueConfig::entity>(),
          .doc = "What the broker calls it: queue, address or topic. Default: "
                 "the queue's name."},
    Field{.name = "ordered",
          .kind = Kind::kChoice,
          .binding = Bind<&QueueConfig::ordered>(),
          .default_text = "none",
          .doc = "`key`: messages with the same key keep their order.",
          .choices = kOrders,
          .param = "ordered"},
    Field{.name = "group",
          .binding = Bind<&QueueConfig::group>(),
          .doc = "Consumer group (Kafka).",
          .param = "group"},
    Field{.name = "member",
          .binding = Bind<&QueueConfig::member>(),
          .doc = "Name of this process in the group (Kafka static "
                 "membership): a quick restart then moves no partitions.",
          .param = "member"},
    Field{.name = "start",
          .binding = Bind<&QueueConfig::start>(),
          .default_text = "earliest",
          .doc = "Where to begin when nothing was read before: `earliest`, "
                 "`latest`, an offset, or a time (RFC 3339).",
          .param = "start"},
    Field{.name = "dead_letter",
          .binding = Bind<&QueueConfig::dead_letter_entity>(),
          .doc = "Entity that takes dead letters where the broker has no way "
                 "of its own. Default: `ENTITY.dead-letter`.",
          .param = "dead_letter"},
    Field{.name = "create",
          .kind = Kind::kBool,
          .binding = Bind<&QueueConfig::create>(),
          .default_text = "false",
          .doc = "Create the entity when it is missing.",
          .param = "create"},
    Field{.name = "partitions",
          .kind = Kind::kInteger,
          .binding = Bind<&QueueConfig::partitions>(),
          .default_text = "0",
          .doc = "Partitions to create it with. 0: the broker's default.",
          .max = 100000,
          .param = "partitions"},
    Field{.name = "tuning",
          .kind = Kind::kChoice,
          .binding = Bind<&QueueConfig::tuning>(),
          .default_text = "throughput",
          .doc = "`latency`: send and read at once. `throughput`: gather for a "
                 "few milliseconds.",
          .choices = kTunings,
          .param = "tuning"},
    Field{.name = "dedupe",
          .kind = Kind::kDuration,
          .binding = Bind<&QueueConfig::dedupe>(),
          .doc = "For how long the ids of what routes and processors handled "
                 "are kept (in `state`): second copies are then completed and "
                 "not delivered. Default: all are delivered."},
    Field{.name = "dedupe_ids",
          .kind = Kind::kInteger,
          .binding = Bind<&QueueConfig::dedupe_ids>(),
          .default_text = "100000",
          .doc = "How many of them at most; the oldest go first, and none "
                 "while the queue moves.",
          .min = 1,
          .max = kMaxInt32},
    Field{.name = "ids",
          .kind = Kind::kChoice,
          .binding = Bind<&QueueConfig::ids>(),
          .default_text = "stamped",
          .doc = "Which ids tell a second copy from another message. "
                 "`stamped`: those that a Tieline sender made; any other "
                 "message is known by where the broker keeps it, if the broker "
                 "says so. `unique`: all.",
          .choices = kMessageIds},
    Field{.name = "spool",
          .kind = Kind::kDuration,
          .binding = Bind<&QueueConfig::spool>(),
          .doc = "When no broker has taken anything for so long, messages that "
                 "are sent go to disk (in `state`), and to a broker, in their "
                 "order, when one takes them again. Default: they wait in "
                 "memory until their deadline."},
    Field{.name = "retain",
          .kind = Kind::kDuration,
          .binding = Bind<&QueueConfig::retain>(),
          .doc = "Messages that a broker accepted are kept on disk (in "
                 "`state`) for so long. When the queue moves away from a "
                 "broker that does not answer, they are sent again to the new "
                 "one. Default: none are kept."},
    Field{.name = "settings",
          .kind = Kind::kTextMap,
          .binding = Bind<&QueueConfig::settings>(),
          .doc = "As a broker's `settings`, for this queue."},
};

const std::array kRoute = {
    Field{.name = "name",
          .binding = Bind<&RouteConfig::name>(),
          .doc = "In counters, logs and `--route`. Default: `FROM->TO`."},
    Field{.name = "from",
          .binding = Bind<&RouteConfig::from>(),
          .doc = "Queue to receive from: a name of `queues`, or a URL.",
          .required = true},
    Field{.name = "to",
          .binding = Bind<&RouteConfig::to>(),
          .doc = "Queue to send to: a name of `queues`, or a URL.",
          .required = true},
    Field{.name = "steps",
          .kind = Kind::kSteps,
          .binding = BindObject<&RouteConfig::steps>(),
          .doc = "What passes, and what is changed on the way, in order."},
    Field{.name = "dead_letter_after",
          .kind = Kind::kInteger,
          .binding = Bind<&RouteConfig::dead_letter_after>(),
          .default_text = "10",
          .doc = "Failures of this route with one message before it is "
                 "dead-lettered. 0: never.",
          .max = kMaxInt32},
    Field{.name = "credit",
          .kind = Kind::kInteger,
          .binding = Bind<&RouteConfig::credit>(),
          .default_text = "2000",
          .doc = "Messages received and not yet settled, at most.",
          .min = 1,
          .max = kMaxUInt32},
    Field{.name = "credit_bytes",
          .kind = Kind::kSize,
          .binding = Bind<&RouteConfig::credit_bytes>(),
          .default_text = "64MiB",
          .doc = "The same in bytes of bodies.",
          .min = 1,
          .max = kMaxBytes},
    Field{.name = "retry_min",
          .kind = Kind::kDuration,
          .binding = Bind<&RouteConfig::retry_min>(),
          .default_text = "50ms",
          .doc = "Wait before a failed message is tried again; doubled each "
                 "time."},
    Field{.name = "retry_max",
          .kind = Kind::kDuration,
          .binding = Bind<&RouteConfig::retry_max>(),
          .default_text = "10s",
          .doc = "The longest such wait."},
    Field{.name = "accept_spooled",
          .kind = Kind::kBool,
          .binding = Bind<&RouteConfig::accept_spooled>(),
          .default_text = "false",
          .doc = "A message that went to the destination's `spool` is taken "
                 "from the source. Else it stays there until a broker has it."},
};

const std::array kMove = {
    Field{.name = "when_dead",
          .kind = Kind::kChoice,
          .binding = Bind<&MoveConfig::when_dead>(),
          .default_text = "hold",
          .doc = "For ordered queues whose former broker does not answer. "
                 "`hold`: the new one is not read until the former one is "
                 "drained, or the operator says to go on. `proceed`: it is "
                 "read after `dead_after`; what the former one still has is "
                 "delivered late.",
          .choices = kWhenDead},
    Field{.name = "dead_after",
          .kind = Kind::kDuration,
          .binding = Bind<&MoveConfig::dead_after>(),
          .default_text = "30s",
          .doc = "How long a former broker may be silent before it counts as "
                 "dead."},
    Field{.name = "fence_timeout",
          .kind = Kind::kDuration,
          .binding = Bind<&MoveConfig::fence_timeout>(),
          .default_text = "10s",
          .doc = "How long sends without an answer are waited for at the "
                 "switch; then the connection is cut, and they are sent again, "
                 "to the new broker."},
    Field{.name = "retire_time",
          .kind = Kind::kDuration,
          .binding = Bind<&MoveConfig::retire_time>(),
          .default_text = "30s",
          .doc = "How long a drained broker is still listened to."},
    Field{.name = "quiet_period",
          .kind = Kind::kDuration,
          .binding = Bind<&MoveConfig::quiet_period>(),
          .default_text = "5s",
          .doc = "Where no proof can be had: a broker that was silent for so "
                 "long counts as empty."},
    Field{.name = "members",
          .kind = Kind::kPathList,
          .binding = Bind<&MoveConfig::members>(),
          .doc = "Control sockets of the other processes that use the same "
                 "queues. A process that is named itself passes itself "
                 "over."},
};

const std::array kState = {
    Field{.name = "file",
          .kind = Kind::kFile,
          .binding = Bind<&Config::state_file>(),
          .doc = "File that keeps what must outlive the process."},
    Field{.name = "spool_bytes",
          .kind = Kind::kSize,
          .binding = Bind<&Config::spool_bytes>(),
          .default_text = "256MiB",
          .doc = "What is spooled, of all queues together, at most; then "
                 "senders wait.",
          .min = 1 << 20,
          .max = kMaxBytes},
};

const std::array kRoot = {
    Field{.name = "brokers",
          .kind = Kind::kObjectMap,
          .binding = BindMap<&Config::brokers>(),
          .doc = "Broker instances, by name.",
          .object = &BrokerObject()},
    Field{.name = "queues",
          .kind = Kind::kObjectMap,
          .binding = BindMap<&Config::queues>(),
          .doc = "Queues, by the name that the application uses.",
          .object = &QueueObject()},
    Field{.name = "routes",
          .kind = Kind::kObjectList,
          .binding = BindList<&Config::routes>(),
          .doc = "Routes: receive from one queue, send to another.",
          .object = &RouteObject()},
    Field{.name = "state",
          .kind = Kind::kObject,
          .binding = kItself,
          .doc = "What outlives the process.",
          .object = &StateObject()},
    Field{.name = "move",
          .kind = Kind::kObject,
          .binding = BindObject<&Config::move>(),
          .doc = "How queues are moved from broker to broker.",
          .object = &MoveObject()},
};

}  // namespace

const Object& StateObject() {
  static const Config* defaults = new Config;
  static const Object object = {"state", "What outlives the process.", kState,
                                defaults};
  return object;
}
const Object& FormerBrokerObject() {
  static const FormerBroker* defaults = new FormerBroker;
  static const Object object = {
      .name = "former broker",
      .doc =
          "A broker that the queue was at. Generations rise, and two "
          "neighbours are never the same broker and entity; with the "
          "present one there are 16 at most. A name alone is a mapping with "
          "nothing but `broker`.",
      .fields = kFormerBroker,
      .defaults = defaults,
      .text_field = "broker"};
  return object;
}
const Object& MoveObject() {
  static const MoveConfig* defaults = new MoveConfig;
  static const Object object = {
      "move", "How queues are moved from broker to broker.", kMove, defaults};
  return object;
}
const Object& QueueObject() {
  static const QueueConfig* defaults = new QueueConfig;
  static const Object object = {"queue", "One queue.", kQueue, defaults};
  return object;
}
const Object& RouteObject() {
  static const RouteConfig* defaults = new RouteConfig;
  static const Object object = {"route", "One route.", kRoute, defaults};
  return object;
}
const Object& RootObject() {
  static const Config* defaults = new Config;
  static const Object object = {"config", "The whole file.", kRoot, defaults};
  return object;
}

}  // namespace config
}  // namespace tieline::inline v0
