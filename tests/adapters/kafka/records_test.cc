// What is remembered of records that were found.
#include "adapters/kafka/records.h"

#include "tests/support/catch.h"

namespace tieline::kafka {
namespace {

const absl::Time kNow = absl::UnixEpoch();

TEST_CASE("a record that was found is known for a short time") {
  FoundRecords found;
  found.Add("t", {0, 5, 9}, 7, kNow);
  CHECK(found.Find("t", {0, 5, 9}, kNow) == 7);
  CHECK(found.Find("t", {0, 5, 9}, kNow + FoundRecords::kYoung) ==
        std::nullopt);
  CHECK(found.Find("t", {1, 5, 9}, kNow) == std::nullopt);
  CHECK(found.Find("u", {0, 5, 9}, kNow) == std::nullopt);
}

TEST_CASE("a record that was found is of stretches that hold it") {
  FoundRecords found;
  found.Add("t", {0, 5, 9}, 7, kNow);
  CHECK(found.Find("t", {0, 6, 20}, kNow) == 7);
  CHECK(found.Find("t", {0, 7, 8}, kNow) == 7);
  // It was read since, or the stretch ends before it, or begins before what
  // was looked at.
  CHECK(found.Find("t", {0, 8, 9}, kNow) == std::nullopt);
  CHECK(found.Find("t", {0, 5, 7}, kNow) == std::nullopt);
  CHECK(found.Find("t", {0, 4, 9}, kNow) == std::nullopt);
}

TEST_CASE("that there is no record is not remembered") {
  FoundRecords found;
  found.Add("t", {0, 5, 9}, 9, kNow);
  CHECK(found.Find("t", {0, 5, 9}, kNow) == std::nullopt);
  CHECK(found.Find("t", {0, 5, 12}, kNow) == std::nullopt);
}

}  // namespace
}  // namespace tieline::kafka
