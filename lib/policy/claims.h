// Claims: which message ids are in hand, and who waits for what becomes of
// each. Pure.
//
// Two copies of a message never are in hand at once. The one that came first
// has the claim; the others wait for its outcome, in their order. When it was
// handled, copies of the same body are done as well; a copy of another body is
// another message that came by the same id, and has its turn. When it failed,
// the next copy has its turn.
//
// The cost of a call does not depend on how many ids there are; in the long run
// nothing is allocated for an id of a usual length. Threads: one at a time.
#ifndef TIELINE_LIB_POLICY_CLAIMS_H_
#define TIELINE_LIB_POLICY_CLAIMS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "lib/base/status.h"

namespace tieline::inline v0 {

// What is to be done with a message, by its id.
enum class InboxVerdict : uint8_t {
  kNew,            // handle it; the claim is the caller's
  kDone,           // drop it: it was handled, and that is on disk
  kDoneOtherBody,  // report it, and handle it: one with this id and another
                   // body was handled; the claim is the caller's
  kInHand,         // wait: the caller is told one of the above
  kFull,           // nothing was claimed; ask again when there is room
};

class Claims {
 public:
  // Who claims or waits: a user by number, and what it calls the message.
  struct Who {
    uint32_t user = 0;
    uint64_t cookie = 0;
    friend bool operator==(const Who&, const Who&) = default;
  };
  // Names a claim, from Take to End.
  using Number = uint32_t;
  // A verdict for one that waited: kNew and kDoneOtherBody, with which the
  // claim is its, or kDone.
  struct Told {
    Who who;
    InboxVerdict verdict = InboxVerdict::kNew;
    Number claim = 0;
    friend bool operator==(const Told&, const Told&) = default;
  };

  Claims() = default;
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;

  // True when the id is in hand; `who` then waits.
  bool Join(std::string_view id, uint64_t digest, Who who);
  // Claims an id that is not in hand. `handled` is the digest of the body that
  // was handled by this id, if one was. kNew, kDone (nothing is claimed) or
  // kDoneOtherBody.
  InboxVerdict Take(std::string_view id, uint64_t digest,
                    std::optional<uint64_t> handled);

  std::optional<Number> Find(std::string_view id) const;
  // Of a claim.
  std::string_view IdOf(Number claim) const { return slots_[claim].id; }
  // The digest that its id is known by once it was handled.
  uint64_t DigestOf(Number claim) const {
    const Slot& slot = slots_[claim];
    return slot.handled.value_or(slot.digest);
  }

  // Whether a claim was sealed: its message was handled, which is now being
  // written down. Seal is false when it was sealed before.
  bool IsSealed(Number claim) const { return slots_[claim].sealed; }
  bool Seal(Number claim) { return !std::exchange(slots_[claim].sealed, true); }

  // The message was handled, or was not after all. Those who wait and now have
  // their verdict are added to `told`; the claim is the first one's of them
  // whose verdict says so, or is over.
  void End(Number claim, bool handled, std::vector<Told>* told);

  // Drops those of a user who wait; its claims stay until they are ended.
  void Forget(uint32_t user);

  size_t size() const { return index_.size(); }
  size_t waiting() const { return waiting_; }

 private:
  struct Waiter {
    Who who;
    uint64_t digest;
  };
  struct Slot {
    std::string id;
    uint64_t digest = 0;
    std::optional<uint64_t> handled;
    bool sealed = false;
    std::unique_ptr<std::deque<Waiter>> waiters;
  };
  struct HashId {
    using is_transparent = void;
    size_t operator()(std::string_view id) const {
      return absl::HashOf(ToAbsl(id));
    }
    size_t operator()(Number n) const { return (*this)((*slots)[n].id); }
    const std::vector<Slot>* slots;
  };
  struct SameId {
    using is_transparent = void;
    std::string_view Text(std::string_view id) const { return id; }
    std::string_view Text(Number n) const { return (*slots)[n].id; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Text(a) == Text(b);
    }
    const std::vector<Slot>* slots;
  };

  std::vector<Slot> slots_;
  std::vector<Number> free_;
  absl::flat_hash_set<Number, HashId, SameId> index_{0, HashId{&slots_},
                                                     SameId{&slots_}};
  size_t waiting_ = 0;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_LIB_POLICY_CLAIMS_H_
