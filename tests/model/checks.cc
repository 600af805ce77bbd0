// What must hold in each state, and in the last ones.
#include <algorithm>

#include "tests/model/move_model.h"

namespace tieline::model {

std::string MoveModel::CheckTake(const World& world, int p, const Copy& copy,
                                 bool late) const {
  const View& view = ViewOf(world, p);
  if (copy.generation > view.generation_on_disk) {
    return "a message above the own generation is delivered";
  }
  const Late& l = world.late;
  if (late) {
    const bool was_given_up =
        world.word_was_heard != 0 && copy.generation <= scenario_.word;
    const bool surfaced = l.state == Late::kSurfaced &&
                          l.message == copy.message &&
                          l.generation == copy.generation;
    return surfaced || was_given_up ? "" : "a message is marked without reason";
  }
  if (!scenario_.ordered) return "";
  const bool is_of_word =
      world.word_was_heard != 0 && copy.generation <= scenario_.word;
  for (const auto& place : world.place) {
    for (const Copy& other : place) {
      if (other.generation == 0) break;
      const bool is_late_one = l.state == Late::kSurfaced &&
                               l.message == other.message &&
                               l.generation == other.generation;
      const bool was_given_up =
          world.word_was_heard != 0 && other.generation <= scenario_.word;
      if (other.generation < copy.generation && !is_late_one && !was_given_up) {
        return "a place is read before an earlier one is drained";
      }
      if (other.taken != 0 && other.late == 0 && !was_given_up && !is_of_word &&
          scenario_.key[other.message] == scenario_.key[copy.message]) {
        return "two handlers hold the same key";
      }
    }
  }
  return "";
}

std::string MoveModel::CheckEffect(const World& world, int p,
                                   const Copy& copy) const {
  if (copy.late != 0 || !scenario_.ordered) return "";
  // A place that somebody left on a word, and this process has not heard it.
  if (world.word_was_heard != 0 && copy.generation <= scenario_.word &&
      !ViewOf(world, p).is_given_up[copy.generation - 1u]) {
    return "";
  }
  for (int later = copy.message + 1; later < scenario_.messages; ++later) {
    if (scenario_.producer[later] == scenario_.producer[copy.message] &&
        scenario_.key[later] == scenario_.key[copy.message] &&
        (world.effects & (1u << later)) != 0) {
      return "a message takes effect after a later one of its key, unmarked";
    }
  }
  return "";
}

std::string MoveModel::CheckEnd(const World& world) const {
  for (int p = 0; p < kProcesses; ++p) {
    const View& view = ViewOf(world, p);
    if (view.generation != scenario_.plan.size() ||
        view.state != MoveState::kActive) {
      return "a move does not end";
    }
  }
  for (int m = 0; m < scenario_.messages; ++m) {
    if (world.message[m].fate != static_cast<uint8_t>(Fate::kAccepted)) {
      return "a message waits for ever to be sent";
    }
    if ((world.effects & (1u << m)) == 0) return "a message is lost";
  }
  return "";
}

int64_t MoveModel::Progress(const World& world) const {
  int64_t progress = 0;
  for (int p = 0; p < kProcesses; ++p) {
    progress += ViewOf(world, p).progress;
  }
  const int64_t faults =
      3 - world.crashes_left - world.lates_left - world.commit_faults_left;
  progress += faults * 1'000'000;
  for (int m = 0; m < scenario_.messages; ++m) {
    const MessageState& message = world.message[m];
    progress += 10 * message.fate;
    const View& view = ViewOf(world, scenario_.producer[m]);
    if (message.generation != 0 && message.generation < view.generation) {
      progress -= 40;  // to be resolved
    }
  }
  if (world.late.state == Late::kSurfaced) progress += 10;
  for (const auto& place : world.place) {
    for (const Copy& copy : place) {
      if (copy.generation != 0) progress -= copy.taken != 0 ? 1 : 2;
    }
  }
  return progress;
}

}  // namespace tieline::model
