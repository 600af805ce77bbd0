// What tests of the store do again and again.
#ifndef TIELINE_TESTS_STORE_TEMP_STORE_H_
#define TIELINE_TESTS_STORE_TEMP_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/store/store.h"
#include "tests/store/temp_folder.h"

namespace tieline::testing {

// Opens a store that has to open.
std::unique_ptr<Store> OpenStore(StoreOptions options);

// A queue that has to be there or to be added.
QueueId QueueOf(Store* store, std::string_view name);

// Appends one entry and commits it.
absl::Status AppendOne(Store* store, QueueId queue, std::string_view bytes);

// The bytes of all entries of a queue, in their order.
std::vector<std::string> Drain(Store* store, QueueId queue);

}  // namespace tieline::testing

#endif  // TIELINE_TESTS_STORE_TEMP_STORE_H_
