#include "tests/acceptance/move_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/time/clock.h"

namespace tieline::move_check {

absl::StatusOr<EventLog> EventLog::Open(const std::string& path) {
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::InternalError(fmt::format("{}: {}", path, strerror(errno)));
  }
  return EventLog(fd);
}

EventLog::EventLog(EventLog&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

EventLog::~EventLog() {
  if (fd_ >= 0) ::close(fd_);
}

void EventLog::Write(std::span<Record> records) const {
  const auto now = static_cast<uint32_t>(absl::ToUnixMillis(absl::Now()));
  for (Record& record : records) record.ms = now;
  if (::write(fd_, records.data(), records.size_bytes()) ==
      static_cast<ssize_t>(records.size_bytes())) {
    return;
  }
  fmt::print(stderr, "the event log can't be written: {}\n", strerror(errno));
  std::_Exit(3);
}

std::vector<Record> ReadLog(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  const auto size = static_cast<size_t>(file.tellg());
  std::vector<Record> records(size / sizeof(Record));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(records.data()),
            static_cast<std::streamsize>(records.size() * sizeof(Record)));
  return records;
}

}  // namespace tieline::move_check
