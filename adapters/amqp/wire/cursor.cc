#include "adapters/amqp/wire/cursor.h"

namespace tieline::inline v0::amqp::wire {

std::string_view Cursor::Skip() {
  const char* const start = p_;
  // A descriptor may itself be described; each round takes a byte, and a
  // described value is two values where one was asked for.
  size_t values = 1;
  while (values > 0 && ok()) {
    --values;
    const int code = Take();
    size_t size = 0;
    switch (code < 0 ? code : code >> 4) {
      case 0x0:
        if (code != kCodeDescribed) {
          Fail();
          break;
        }
        values += 2;
        continue;
      case 0x4:
        size = 0;
        break;
      case 0x5:
        size = 1;
        break;
      case 0x6:
        size = 2;
        break;
      case 0x7:
        size = 4;
        break;
      case 0x8:
        size = 8;
        break;
      case 0x9:
        size = 16;
        break;
      case 0xa:
      case 0xc:
      case 0xe: {
        const char* p = Raw(1);
        if (p != nullptr) size = Byte(p);
        break;
      }
      case 0xb:
      case 0xd:
      case 0xf: {
        const char* p = Raw(4);
        if (p != nullptr) size = Load32(p);
        break;
      }
      default:
        Fail();
        break;
    }
    Raw(size);
  }
  if (!ok()) return {};
  return {start, static_cast<size_t>(p_ - start)};
}

}  // namespace tieline::inline v0::amqp::wire
