// A fourth backend, as an example: queues as folders, messages as files; one
// process at a time, not synced. docs/guide/writing-an-adapter.md explains it.
#ifndef TIELINE_EXAMPLES_FILE_QUEUE_FILE_QUEUE_H_
#define TIELINE_EXAMPLES_FILE_QUEUE_FILE_QUEUE_H_
#include "tieline/driver/driver.h"
namespace file_queue {
// The driver of file://NAME URLs. Brokers need the setting `directory`; each
// folder below it is a queue. Any thread.
std::shared_ptr<tieline::driver::Driver> MakeDriver();
}  // namespace file_queue
#endif  // TIELINE_EXAMPLES_FILE_QUEUE_FILE_QUEUE_H_
