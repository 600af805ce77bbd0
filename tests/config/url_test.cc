#include "tieline/url.h"

#include <sstream>
#include <string>

#include "tests/support/catch.h"

namespace tieline {
namespace {

Url Parsed(std::string_view text) {
  auto url = Url::Parse(text);
  INFO(text);
  REQUIRE(url.ok());
  return *std::move(url);
}

TEST_CASE("a URL is taken apart and decoded") {
  const Url url = Parsed(
      "KAFKA://bridge:p%40ss%2Fword@k1:9092,[::1]:9093,k3/"
      "orders%20eu/v1?group=g%26h&start=latest");
  CHECK(url.scheme == "kafka");
  CHECK(url.user == "bridge");
  CHECK(url.password.Reveal() == "p@ss/word");
  REQUIRE(url.hosts.size() == 3);
  CHECK(url.hosts[0] == HostPort{"k1", 9092});
  CHECK(url.hosts[1] == HostPort{"::1", 9093});
  CHECK(url.hosts[2] == HostPort{"k3", 0});
  CHECK(url.path == "orders eu/v1");
  CHECK(url.params.at("group") == "g&h");
  CHECK(url.params.at("start") == "latest");
  CHECK(url.HostList(9092) == "k1:9092,[::1]:9093,k3:9092");
}

TEST_CASE("a printed URL reads back, without its password") {
  const Url url = Parsed("amqps://u%3A:secret@h:5671//queue/a%3Fb?x=1&y=%26");
  const std::string text = url.ToString();
  CHECK(text == "amqps://u%3A:***@h:5671//queue/a%3Fb?x=1&y=%26");
  const Url again = Parsed(text);
  CHECK(again.path == "/queue/a?b");
  CHECK(again.user == "u:");
  CHECK(again.ToString() == text);
}

TEST_CASE("hosts, user, path and parameters may be missing") {
  CHECK(Parsed("memory://m").path.empty());
  CHECK(Parsed("memory://m?x=1").params.size() == 1);
  const Url file = Parsed("file:///var/queue");
  CHECK(file.hosts.empty());
  CHECK(file.path == "var/queue");
  CHECK(Parsed("amqp://user@h").user == "user");
}

TEST_CASE("long URLs and many parameters are refused") {
  CHECK_FALSE(Url::Parse("amqp://h/" + std::string(9000, 'a')).ok());
  std::string many = "amqp://h/a?";
  for (int i = 0; i < 65; ++i) many += "&p" + std::to_string(i) + "=1";
  CHECK_FALSE(Url::Parse(many).ok());
}

TEST_CASE("a secret does not print and is gone when overwritten") {
  Secret secret("hunter2");
  std::ostringstream out;
  out << secret;
  CHECK(out.str() == "***");
  CHECK(secret.Reveal() == "hunter2");
  CHECK(secret == Secret("hunter2"));
  secret = Secret();
  CHECK(secret.empty());
}

}  // namespace
}  // namespace tieline
