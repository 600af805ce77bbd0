// A fourth backend, as an example: queues as folders, messages as files.
// Written from include/tieline/driver/ alone; docs/guide/writing-an-adapter.md
// walks through it. One process at a time uses a directory; files are not
// synced.
#ifndef TIELINE_EXAMPLES_FILE_QUEUE_FILE_QUEUE_H_
#define TIELINE_EXAMPLES_FILE_QUEUE_FILE_QUEUE_H_

#include "tieline/driver/driver.h"

namespace file_queue {

// The driver of file://NAME URLs. Brokers need the setting `directory`; each
// folder below it is a queue. Any thread.
std::shared_ptr<tieline::driver::Driver> MakeDriver();

}  // namespace file_queue

#endif  // TIELINE_EXAMPLES_FILE_QUEUE_FILE_QUEUE_H_
