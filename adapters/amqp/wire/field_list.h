// FieldList: writes the properties section (AMQP 1.0 section 3.2.4), a list
// whose trailing nulls are left out.
//
// Threads: as any plain value.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_FIELD_LIST_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_FIELD_LIST_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "adapters/amqp/wire/writer.h"
#include "tieline/value.h"

namespace tieline::inline v0::amqp::wire {

// One call for each field, in the section's order, then End.
class FieldList {
 public:
  explicit FieldList(Writer* writer);

  void Absent(size_t fields = 1);
  // Each writes null unless `present`.
  void Text(bool present, std::string_view text);
  void Symbol(bool present, std::string_view text);
  void Binary(bool present, std::string_view bytes);
  // Null for infinite times too.
  void Time(bool present, absl::Time time);
  void UInt(bool present, uint32_t v);
  // A message or correlation id of `type`, if its text fits; else a string, or
  // binary when it is not UTF-8.
  void Id(bool present, std::string_view text, Type type);
  // Ends the section; takes it back when it has no field.
  void End();

 private:
  char* Room(std::string_view text);
  void Done(const char* end);

  Writer* const writer_;
  const size_t start_;
  size_t mark_ = 0;
  size_t size_ = 0;      // up to the last field that is there
  uint32_t count_ = 0;   // fields up to there
  uint32_t fields_ = 0;  // all so far
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_FIELD_LIST_H_
