// What the programs of both sides send, and what they check of it: bodies that
// begin with the message's number, and up to three properties.
#ifndef TIELINE_BENCHMARKS_END_TO_END_AMQP_CONTENT_H_
#define TIELINE_BENCHMARKS_END_TO_END_AMQP_CONTENT_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace tieline::bench {

inline constexpr std::string_view kTenant = "acme-corp";
inline constexpr std::string_view kType = "order.created";

// A body of the size asked for, at least 8 bytes.
inline std::string FirstBody(size_t size) {
  return std::string(size < 8 ? 8 : size, 'x');
}
inline void NumberBody(uint64_t number, char* body) {
  std::memcpy(body, &number, sizeof(number));
}
// Ends the program when it is not the number that is due.
inline void CheckBody(uint64_t due, std::string_view body, size_t size) {
  uint64_t number = 0;
  if (body.size() >= 8) std::memcpy(&number, body.data(), sizeof(number));
  if (body.size() == (size < 8 ? 8 : size) && number == due) return;
  std::fprintf(stderr, "message %llu came where %llu was due\n",
               static_cast<unsigned long long>(number),
               static_cast<unsigned long long>(due));
  std::exit(1);
}
inline void CheckProperties(bool same) {
  if (same) return;
  std::fprintf(stderr, "a message's properties are not those sent\n");
  std::exit(1);
}

}  // namespace tieline::bench

#endif  // TIELINE_BENCHMARKS_END_TO_END_AMQP_CONTENT_H_
