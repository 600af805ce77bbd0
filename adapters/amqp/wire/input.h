// Input: bytes from the peer, read in large pieces into reference-counted
// blocks and cut into frames, so that a received body is a slice of its block.
//
// Threads: one at a time; slices go to any thread.
#ifndef TIELINE_ADAPTERS_AMQP_WIRE_INPUT_H_
#define TIELINE_ADAPTERS_AMQP_WIRE_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "tieline/bytes.h"

namespace tieline::inline v0::amqp::wire {

class Input {
 public:
  // The largest frame that is taken; Next() fails on a larger one.
  explicit Input(uint32_t max_frame) : max_frame_(max_frame) {}
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input();

  // Where to read to: at least 16 KiB.
  std::span<char> Room();
  void Add(size_t n) { end_ += n; }

  enum class Result : uint8_t {
    kFrame,       // a whole frame
    kHeader,      // a protocol header: "AMQP" and four bytes
    kIncomplete,  // more must be read
    kMalformed,   // a size that no frame has, or beyond the largest
  };
  // The next frame or header; the view is valid until Room().
  Result Next(std::string_view* bytes);

  // A slice of the last frame that pins its block.
  Bytes Slice(std::string_view part) const;

 private:
  class Block;

  // Makes a block that has room for what has begun.
  void Renew();

  const uint32_t max_frame_;
  Block* block_ = nullptr;
  size_t begin_ = 0;  // of what is not taken yet
  size_t end_ = 0;
};

}  // namespace tieline::inline v0::amqp::wire

#endif  // TIELINE_ADAPTERS_AMQP_WIRE_INPUT_H_
