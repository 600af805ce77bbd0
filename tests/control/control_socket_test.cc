#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/status.h"
#include "lib/control/control_client.h"
#include "lib/control/control_server.h"
#include "lib/control/reply.h"
#include "lib/control/socket.h"
#include "tests/support/catch.h"

namespace tieline {
namespace {

constexpr absl::Duration kLong = absl::Seconds(20);
using Code = absl::StatusCode;

// A folder of its own, removed at the end.
class Folder {
 public:
  Folder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "tieline-ctl-XXXXXX")
            .string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Socket() const { return (path_ / "s.db.sock").string(); }

 private:
  std::filesystem::path path_;
};

std::string Echo(std::string_view request) {
  return "<" + std::string(request) + ">";
}

std::unique_ptr<ControlServer> Serve(const std::string& path,
                                     ControlHandler handler = Echo,
                                     ControlServerOptions options = {}) {
  auto server = ControlServer::Open(path, std::move(handler), options);
  INFO(server.status().ToString());
  REQUIRE(server.ok());
  return *std::move(server);
}

std::unique_ptr<ControlClient> Connect(const std::string& path) {
  auto client = ControlClient::Connect(path, kLong);
  INFO(client.status().ToString());
  REQUIRE(client.ok());
  return *std::move(client);
}

TEST_CASE("lines are answered, in turn") {
  const Folder folder;
  const auto server = Serve(folder.Socket());
  CHECK(server->path() == folder.Socket());
  const auto one = Connect(folder.Socket());
  const auto two = Connect(folder.Socket());
  for (int i = 0; i < 100; ++i) {
    CHECK(*one->Ask("a" + std::to_string(i), kLong) ==
          "<a" + std::to_string(i) + ">");
    CHECK(*two->Ask("b", kLong) == "<b>");
  }
  CHECK(*one->Ask("", kLong) == "<>");
  CHECK(one->Ask("a\nb", kLong).status().code() == Code::kInvalidArgument);
}

TEST_CASE("the socket is its user's alone, and goes with the server") {
  const Folder folder;
  struct stat found = {};
  {
    const auto server = Serve(ControlPath(folder.Socket().substr(
        0, folder.Socket().size() - std::strlen(".sock"))));
    REQUIRE(stat(folder.Socket().c_str(), &found) == 0);
    CHECK(S_ISSOCK(found.st_mode));
    CHECK((found.st_mode & 0777) == 0600);
  }
  CHECK(stat(folder.Socket().c_str(), &found) != 0);
  CHECK(ControlClient::Connect(folder.Socket(), kLong).status().code() ==
        Code::kNotFound);
}

TEST_CASE("a live server's socket is refused, a dead one's replaced") {
  const Folder folder;
  const std::string path = folder.Socket();
  {
    const auto server = Serve(path);
    const auto second = ControlServer::Open(path, Echo);
    CHECK(second.status().code() == Code::kFailedPrecondition);
    CHECK(*Connect(path)->Ask("x", kLong) == "<x>");
  }
  // A socket file that nobody listens at, as kill -9 leaves it.
  const auto address = control::AddressOf(path);
  REQUIRE(address.ok());
  {
    const auto dead = control::MakeSocket(path);
    REQUIRE(bind(dead->get(), reinterpret_cast<const sockaddr*>(&*address),
                 sizeof(*address)) == 0);
  }
  CHECK(ControlClient::Connect(path, kLong).status().code() == Code::kNotFound);
  const auto server = Serve(path);
  CHECK(*Connect(path)->Ask("x", kLong) == "<x>");
}

TEST_CASE("what is not ours is left alone") {
  const Folder folder;
  std::ofstream(folder.Socket()) << "precious";
  const auto server = ControlServer::Open(folder.Socket(), Echo);
  CHECK(server.status().code() == Code::kFailedPrecondition);
  CHECK(std::filesystem::file_size(folder.Socket()) == 8);
  std::filesystem::remove(folder.Socket());

  // Somebody listens there without our lock.
  const auto address = control::AddressOf(folder.Socket());
  const auto other = control::MakeSocket(folder.Socket());
  REQUIRE(bind(other->get(), reinterpret_cast<const sockaddr*>(&*address),
               sizeof(*address)) == 0);
  REQUIRE(listen(other->get(), 1) == 0);
  CHECK(ControlServer::Open(folder.Socket(), Echo).status().code() ==
        Code::kFailedPrecondition);
}

TEST_CASE("a path that is too long is refused, with what to do") {
  const std::string path = "/tmp/" + std::string(103, 'x');
  const auto server = ControlServer::Open(path, Echo);
  CHECK(server.status().code() == Code::kInvalidArgument);
  CHECK(MessageOf(server.status()).find("shorter path") != std::string::npos);
  CHECK(ControlClient::Connect(path, kLong).status().code() ==
        Code::kInvalidArgument);
  CHECK(ControlServer::Open("", Echo).status().code() ==
        Code::kInvalidArgument);
  CHECK(ControlServer::Open("/nowhere/at/all.sock", Echo).status().code() ==
        Code::kNotFound);
}

Code ErrorOf(const absl::StatusOr<std::string>& answer) {
  INFO(answer.status().ToString());
  REQUIRE(answer.ok());
  return control::ReadReply(*answer).status().code();
}

TEST_CASE("lines have a bound, both ways") {
  const Folder folder;
  const auto server =
      Serve(folder.Socket(),
            [](std::string_view request) {
              return request == "long" ? std::string(101, 'x') : Echo(request);
            },
            {.request_bytes = 100, .reply_bytes = 100});
  const auto client = Connect(folder.Socket());
  CHECK(client->Ask(std::string(98, 'x'), kLong)->size() == 100);
  CHECK(ErrorOf(client->Ask("long", kLong)) == Code::kResourceExhausted);
  CHECK(client->Ask("x", kLong).ok());
  CHECK(ErrorOf(client->Ask(std::string(101, 'x'), kLong)) ==
        Code::kResourceExhausted);
  CHECK(client->Ask("x", kLong).status().code() == Code::kUnavailable);
  CHECK(Connect(folder.Socket())->Ask("x", kLong).ok());
}

TEST_CASE("one connection too many is told so, and a place is free again") {
  const Folder folder;
  const auto server = Serve(folder.Socket(), Echo, {.connections = 2});
  const auto one = Connect(folder.Socket());
  auto two = Connect(folder.Socket());
  REQUIRE(one->Ask("x", kLong).ok());
  REQUIRE(two->Ask("x", kLong).ok());
  CHECK(ErrorOf(Connect(folder.Socket())->Ask("x", kLong)) ==
        Code::kResourceExhausted);
  two.reset();
  // The server hears of it before or after the next one.
  bool answered = false;
  for (int i = 0; i < 1000 && !answered; ++i) {
    const auto answer = Connect(folder.Socket())->Ask("x", kLong);
    answered = answer.ok() && *answer == "<x>";
  }
  CHECK(answered);
}

TEST_CASE("an idle connection is closed") {
  const Folder folder;
  const auto server =
      Serve(folder.Socket(), Echo, {.idle_timeout = absl::Milliseconds(20)});
  const auto address = control::AddressOf(folder.Socket());
  const auto silent = control::MakeSocket(folder.Socket());
  REQUIRE(connect(silent->get(), reinterpret_cast<const sockaddr*>(&*address),
                  sizeof(*address)) == 0);
  REQUIRE(fcntl(silent->get(), F_SETFL, 0) == 0);  // read blocks
  char byte;
  CHECK(read(silent->get(), &byte, 1) == 0);
}

TEST_CASE("a handler's exception is an answer, line breaks are not") {
  const Folder folder;
  const auto server =
      Serve(folder.Socket(), [](std::string_view request) -> std::string {
        if (request == "throw") throw std::runtime_error("no");
        return "a\nb";
      });
  const auto client = Connect(folder.Socket());
  CHECK(ErrorOf(client->Ask("throw", kLong)) == Code::kInternal);
  CHECK(*client->Ask("x", kLong) == "a b");
}

TEST_CASE("a client does not wait for ever") {
  const Folder folder;
  std::promise<void> asked, go_on;
  const auto server = Serve(folder.Socket(), [&](std::string_view) {
    asked.set_value();
    go_on.get_future().wait();
    return std::string("late");
  });
  const auto client = Connect(folder.Socket());
  CHECK(client->Ask("x", absl::Milliseconds(20)).status().code() ==
        Code::kDeadlineExceeded);
  asked.get_future().wait();
  go_on.set_value();
}

TEST_CASE("many ask at once, and the server stops among them") {
  const Folder folder;
  auto server = Serve(folder.Socket());
  std::atomic<int> answered{0}, wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (true) {
        auto client = ControlClient::Connect(folder.Socket(), kLong);
        if (!client.ok()) return;
        for (int i = 0; i < 10; ++i) {
          const auto answer = (*client)->Ask("x", kLong);
          if (!answer.ok()) return;
          ++(*answer == "<x>" ? answered : wrong);
        }
      }
    });
  }
  while (answered < 1000) std::this_thread::yield();
  server.reset();
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace tieline
