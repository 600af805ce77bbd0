#include "tests/support/brokers.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

namespace tieline::testing {
namespace {

using Json = nlohmann::json;

[[noreturn]] void Fail(const std::string& why) {
  throw std::runtime_error("broker: " + why);
}

std::vector<std::string> Words(std::string_view line) {
  std::istringstream in{std::string(line)};
  return {std::istream_iterator<std::string>(in), {}};
}

std::string ReadAll(int fd) {
  std::string all;
  char chunk[4096];
  while (true) {
    const ssize_t got = read(fd, chunk, sizeof chunk);
    if (got > 0) {
      all.append(chunk, static_cast<size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      return all;
    }
  }
}

// Runs tests/brokers/broker and returns its standard output. Its standard
// error is the program's own, and holds the reason of a failure.
std::string RunCommand(std::vector<std::string> words) {
  words.insert(words.begin(), TIELINE_BROKER_COMMAND);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) {
    throw std::system_error(errno, std::generic_category(), "pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string output = error == 0 ? ReadAll(ends[0]) : "";
  close(ends[0]);
  if (error != 0) Fail("cannot run " + words[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) {
    Fail("'" + words[1] + "' failed; its reason is on standard error");
  }
  return output;
}

// 0 when the URL does not end in a port.
uint16_t PortOf(std::string_view url) {
  uint16_t port = 0;
  std::from_chars(url.data() + url.rfind(':') + 1, url.data() + url.size(),
                  port);
  return port;
}

std::string Variable(std::string_view kind, std::string_view what) {
  std::string name = "TIELINE_";
  for (char c : kind) name += static_cast<char>(std::toupper(c));
  const char* value = std::getenv((name + "_" + std::string(what)).c_str());
  return value ? value : "";
}

// What can be known of a broker of which only the URL is given.
Json DescribeUrl(std::string_view kind, const std::string& url) {
  const uint16_t port = PortOf(url);
  if (port == 0) {
    Fail(url + " has no port: expected kafka://127.0.0.1:9092 or the like");
  }
  return {{"kind", kind},
          {"urls", {{"plain", url}}},
          {"ports", {{"plain", port}}},
          {"proxied", Json::array()}};
}

}  // namespace

struct Broker::State {
  Json description;
  bool own = false;
  std::mutex mutex;
};

Broker::Broker(std::unique_ptr<State> state) : state_(std::move(state)) {}
Broker::Broker(Broker&&) noexcept = default;
Broker& Broker::operator=(Broker&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

Broker::~Broker() {
  if (!state_ || !state_->own) return;
  try {
    Control("stop", "--now");
  } catch (const std::exception&) {
    state_->own = false;  // --die-with stops it when the program has ended.
  }
}

Broker Broker::Start(std::string_view line) {
  std::vector<std::string> words = Words(line);
  words.insert(words.begin(), "start");
  words.emplace_back("--die-with");
  words.push_back(std::to_string(getpid()));
  auto state = std::make_unique<State>();
  state->description = Json::parse(RunCommand(std::move(words)));
  state->own = true;
  return Broker(std::move(state));
}

Broker& Broker::Shared(std::string_view kind) {
  static std::mutex mutex;
  static std::map<std::string, Broker, std::less<>> shared;
  std::lock_guard lock(mutex);
  if (auto known = shared.find(kind); known != shared.end()) {
    return known->second;
  }
  auto state = std::make_unique<State>();
  if (const std::string path = Variable(kind, "BROKER"); !path.empty()) {
    std::ifstream in(path);
    state->description = Json::parse(in, nullptr, false);
    if (state->description.is_discarded()) Fail(path + " is no description");
  } else if (const std::string url = Variable(kind, "URL"); !url.empty()) {
    state->description = DescribeUrl(kind, url);
  } else {
    std::string line(kind);
    line += " --tls";
    if (kind == "kafka") line += " --sasl all --proxied 4";
    if (kind == "rabbitmq") line += " --dead-letter";
    return shared.emplace(kind, Start(line)).first->second;
  }
  return shared.emplace(kind, Broker(std::move(state))).first->second;
}

std::string Broker::Text(const std::string& pointer) const {
  const Json::json_pointer at(pointer);
  if (!state_->description.contains(at)) {
    Fail("this broker has no " + pointer + ": start it with the option for it");
  }
  const Json& found = state_->description[at];
  return found.is_string() ? found.get<std::string>() : found.dump();
}

std::string Broker::Url(std::string_view role) const {
  return Text("/urls/" + std::string(role));
}

bool Broker::HasRole(std::string_view role) const {
  return state_->description.at("urls").contains(std::string(role));
}

uint16_t Broker::Port(std::string_view role) const { return PortOf(Url(role)); }

std::string Broker::User() const { return Text("/user"); }

std::string Broker::Contents(const std::string& pointer) const {
  const std::string path = Text(pointer);
  std::ifstream in(path);
  if (!in) Fail("can't read " + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Broker::Password() const {
  std::ifstream in(Text("/password_file"));
  std::string password;
  std::getline(in, password);
  return password;
}

Broker::Proxied Broker::MakeProxy() const {
  const Json& description = state_->description;
  if (description.at("kind") != "kafka") {
    auto proxy = std::make_unique<Proxy>(Port());
    std::string url = "amqp://127.0.0.1:" + std::to_string(proxy->port());
    return {std::move(proxy), std::move(url)};
  }
  // The first announced port that no other program listens on.
  for (const Json& each : description.at("proxied")) {
    try {
      return {std::make_unique<Proxy>(each.at("upstream").get<uint16_t>(),
                                      each.at("listen").get<uint16_t>()),
              each.at("url").get<std::string>()};
    } catch (const std::system_error& error) {
      if (error.code() != std::errc::address_in_use) throw;
    }
  }
  Fail("every proxied listener is in use: start Kafka with a larger --proxied");
}

std::string Broker::Control(std::string_view command, std::string_view more) {
  std::vector<std::string> words = {std::string(command), Text("/name")};
  for (std::string& word : Words(more)) words.push_back(std::move(word));
  std::lock_guard lock(state_->mutex);
  return RunCommand(std::move(words));
}

void Broker::Kill() { Control("kill"); }
void Broker::Restart() { Control("restart"); }
void Broker::Pause() { Control("pause"); }
void Broker::Continue() { Control("continue"); }
void Broker::WaitReady() { Control("wait"); }

void Broker::CreateTopic(const std::string& name, int partitions,
                         std::string_view settings) const {
  std::vector<std::string> words = {"topic",
                                    "create",
                                    name,
                                    "--port",
                                    std::to_string(Port()),
                                    "--partitions",
                                    std::to_string(partitions)};
  for (std::string& word : Words(settings)) words.push_back(std::move(word));
  RunCommand(std::move(words));
}

void Broker::DeleteTopic(const std::string& name) const {
  RunCommand({"topic", "delete", name, "--port", std::to_string(Port())});
}

int64_t Broker::Depth(const std::string& queue) {
  return std::stoll(Control("depth", queue));
}

}  // namespace tieline::testing
