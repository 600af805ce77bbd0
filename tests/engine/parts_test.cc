// The pure parts of the engine, without a bus.
#include <string>
#include <thread>
#include <vector>

#include "lib/engine/deadline_queue.h"
#include "lib/engine/flush_groups.h"
#include "lib/engine/id_stamp.h"
#include "lib/engine/strand.h"
#include "tests/support/catch.h"

namespace tieline::inline v0 {
namespace {

TEST_CASE("a flush waits for what was given before it and nothing else") {
  FlushGroups groups;
  const uint64_t first = groups.Add(3);
  const uint64_t mark = groups.Mark();
  const uint64_t second = groups.Add(2);
  CHECK(first != second);
  CHECK_FALSE(groups.Passed(mark));
  CHECK(groups.PendingBefore(mark) == 3);
  groups.Resolve(second, 1);
  groups.Resolve(first, 2);
  CHECK_FALSE(groups.Passed(mark));
  groups.Resolve(first, 1);
  CHECK(groups.Passed(mark));
  CHECK_FALSE(groups.Passed(groups.Mark()));
  groups.Resolve(second, 1);
  CHECK(groups.Passed(groups.Mark()));
}

TEST_CASE("flushes with nothing to wait for cost no memory and pass at once") {
  FlushGroups groups;
  const uint64_t mark = groups.Mark();
  for (int i = 0; i < 100; ++i) CHECK(groups.Mark() == mark);
  CHECK(groups.Passed(mark));
}

TEST_CASE("a later group that empties first does not pass an earlier one") {
  FlushGroups groups;
  const uint64_t a = groups.Add(1);
  const uint64_t after_a = groups.Mark();
  const uint64_t b = groups.Add(1);
  const uint64_t after_b = groups.Mark();
  groups.Resolve(b, 1);
  CHECK_FALSE(groups.Passed(after_a));
  CHECK_FALSE(groups.Passed(after_b));
  groups.Resolve(a, 1);
  CHECK(groups.Passed(after_b));
}

TEST_CASE("batches come by deadline, in and out of order") {
  const auto at = [](int s) { return absl::FromUnixSeconds(s); };
  std::vector<Message> one(1);
  std::vector<SendBatchState*> batches;
  DeadlineQueue queue;
  for (int s : {5, 5, 9, 3, 7, 9, 3, 12}) {
    auto* batch = new SendBatchState(one);
    batch->deadline = at(s);
    queue.Add(batch);
    batches.push_back(batch);
  }
  auto* never = new SendBatchState(one);
  queue.Add(never);
  batches.push_back(never);
  CHECK(queue.Next() == at(3));
  queue.Remove(batches[2]);  // one of the nines, from the middle
  queue.Remove(never);
  std::vector<absl::Time> order;
  while (SendBatchState* first = queue.First()) {
    order.push_back(first->deadline);
    queue.Remove(first);
  }
  CHECK(order == std::vector<absl::Time>{at(3), at(3), at(5), at(5), at(7),
                                         at(9), at(12)});
  CHECK(queue.Next() == absl::InfiniteFuture());
  for (SendBatchState* batch : batches) {
    batch->Unref();
    batch->Unref();
  }
}

TEST_CASE("a call at a busy strand has the body run once more") {
  Strand strand;
  int runs = 0;
  int runs_of_the_caller = 0;
  bool left = false;
  const auto call = [&] {
    left = strand.Run(16, [&] {
      ++runs_of_the_caller;
      return false;
    });
  };
  const bool done = strand.Run(16, [&] {
    if (++runs == 1) std::thread(call).join();
    return false;
  });
  CHECK(done);
  CHECK(left);
  CHECK(runs == 2);
  CHECK(runs_of_the_caller == 0);
}

TEST_CASE("others' calls keep no thread in a strand") {
  Strand strand;
  int runs = 0;
  const auto calls_again = [&] {
    ++runs;
    std::thread([&] { strand.Run(16, [] { return false; }); }).join();
    return false;
  };
  CHECK_FALSE(strand.Run(16, calls_again));
  CHECK(runs == 16);
  CHECK_FALSE(strand.Run(3, [&] {
    ++runs;
    return true;
  }));
  CHECK(runs == 19);
  // It is free for whoever takes over.
  CHECK(strand.Run(1, [&] {
    ++runs;
    return false;
  }));
  CHECK(runs == 20);
}

TEST_CASE("ids count up in base 32 without leading zeros") {
  IdStamp id("p", 30);
  CHECK(id.text() == "p-y");
  id.CountUp();
  CHECK(id.text() == "p-z");
  id.CountUp();
  CHECK(id.text() == "p-10");
  for (int i = 0; i < 31 * 32; ++i) id.CountUp();
  CHECK(id.text() == IdStamp("p", 1024).text());
  CHECK(id.text() == "p-100");
  CHECK(IdStamp("p", ~uint64_t{0}).text() == "p-fzzzzzzzzzzzz");
}

}  // namespace
}  // namespace tieline::inline v0
