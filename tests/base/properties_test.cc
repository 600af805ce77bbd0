#include "tieline/properties.h"

#include <string>

#include "tests/support/catch.h"

namespace tieline::inline v0 {
namespace {

std::string Names(const Properties& properties) {
  std::string names;
  for (const Property& p : properties) names += p.name + " ";
  return names;
}

TEST_CASE("properties are set in place, removed and renamed") {
  Properties p;
  p.Set("a", Value(int64_t{1}));
  p.Set("b", Value(int64_t{2}));
  p.Set("c", Value(int64_t{3}));
  p.Set("b", Value("two"));
  CHECK(Names(p) == "a b c ");
  CHECK(*p.Find("b") == Value("two"));
  CHECK(p.Rename("a", "c"));  // which is replaced
  CHECK(Names(p) == "c b ");
  CHECK(*p.Find("c") == Value(int64_t{1}));
  CHECK(p.Rename("c", "c"));
  CHECK_FALSE(p.Rename("a", "d"));
  CHECK(p.Remove("b"));
  CHECK_FALSE(p.Remove("b"));
  CHECK(Names(p) == "c ");
}

TEST_CASE("a name may be one of the list's own") {
  for (const std::string& name :
       {std::string("short"), std::string(100, 'n')}) {
    Properties p;
    p.Append(name);
    for (int i = 0; i < 40; ++i) p.Append(p.begin()->name);
    REQUIRE(p.size() == 41);
    for (const Property& one : p) CHECK(one.name == name);

    Properties q;
    q.Set("a", Value(int64_t{1}));
    q.Set(name, Value(int64_t{2}));
    q.Set("z", Value(int64_t{3}));
    CHECK(q.Rename((q.begin() + 2)->name, q.begin()->name));
    CHECK(*q.Find("a") == Value(int64_t{3}));
    CHECK(q.Find("z") == nullptr);
    CHECK(q.Find(name) != nullptr);
  }
}

TEST_CASE("properties are equal in any order") {
  Properties p;
  Properties q;
  p.Set("a", Value(int64_t{1}));
  p.Set("b", Value(int64_t{2}));
  q.Set("b", Value(int64_t{2}));
  CHECK_FALSE(p == q);
  q.Set("a", Value(int64_t{1}));
  CHECK(p == q);
  q.Set("a", Value("1"));
  CHECK_FALSE(p == q);
}

}  // namespace
}  // namespace tieline::inline v0
