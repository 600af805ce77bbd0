// Tables: the rows of a store's file, read, checked and written.
//
// Threads: one at a time.
#ifndef TIELINE_LIB_STORE_TABLES_H_
#define TIELINE_LIB_STORE_TABLES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/store/change.h"
#include "lib/store/database.h"
#include "lib/store/schema.h"

namespace tieline::inline v0::store {

class Tables {
 public:
  // The rows of a file, in their order. What a visitor returns ends the visit.
  struct Visitor {
    std::function<absl::Status(QueueId, QueueRow)> queue;
    std::function<absl::Status(QueueId, SpoolSegment, std::string_view data)>
        spool;
    std::function<absl::Status(QueueId, InboxSegment)> inbox;
    std::function<absl::Status(const JournalRow&)> journal;
  };

  static absl::StatusOr<std::unique_ptr<Tables>> Open(
      std::unique_ptr<Database> database);

  // Reads every row. kDataLoss at the first that its checksum denies.
  absl::Status Visit(const Visitor& visitor);

  // Writes the change in one transaction. When it fails nothing of it is in
  // the file, nor comes up in it when it is opened next.
  absl::Status Write(Change* change);
  absl::Status AddQueue(QueueId queue, const QueueRow& row);

  // Adds the data of a spool segment to `*data`. kNotFound when it was dropped.
  absl::Status ReadSpool(QueueId queue, const SpoolSegment& segment,
                         std::string* data);
  // Up to `limit` of the journal's entries from number `from`, in their order.
  absl::Status ReadJournal(
      uint64_t from, int64_t limit,
      const std::function<absl::Status(const JournalRow&)>& visit);

  // Pages that a transaction may use without the file growing.
  absl::StatusOr<int64_t> FreePages();

  const Meta& meta() const { return meta_; }
  Database* database() { return database_.get(); }

 private:
  explicit Tables(std::unique_ptr<Database> database);

  absl::Status PrepareAll();
  absl::Status VisitQueues(const Visitor& visitor);
  absl::Status VisitSpool(const Visitor& visitor);
  absl::Status VisitInbox(const Visitor& visitor);
  absl::Status WriteRows(Change* change);
  absl::Status PutQueue(QueueId queue, const QueueRow& row);
  absl::Status WriteSpool(const Change& change);
  absl::Status WriteInbox(const Change& change);
  absl::Status WriteJournal(Change* change);
  absl::Status Drop(const Change& change);
  absl::Status CountCommit();
  // Runs `rows` in a transaction.
  absl::Status Transact(const std::function<absl::Status()>& rows);
  absl::Status Abandon(const absl::Status& why);

  std::unique_ptr<Database> database_;
  Meta meta_;
  std::string joined_;
  // Statements go before the database.
  Statement begin_;
  Statement commit_;
  Statement rollback_;
  Statement put_meta_;
  Statement put_queue_;
  Statement put_spool_;
  Statement put_inbox_;
  Statement put_journal_;
  Statement get_spool_;
  Statement get_journal_;
  Statement size_journal_;
  Statement drop_spool_;
  Statement drop_inbox_;
  Statement drop_journal_;
  Statement free_pages_;
};

// The checksums of rows.
uint32_t CheckOf(QueueId queue, const QueueRow& row);
uint32_t CheckOf(QueueId queue, const SpoolSegment& segment,
                 std::string_view data);
uint32_t CheckOf(QueueId queue, const InboxSegment& segment);
uint32_t CheckOf(const JournalRow& row);

}  // namespace tieline::inline v0::store

#endif  // TIELINE_LIB_STORE_TABLES_H_
