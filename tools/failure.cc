#include "tools/failure.h"

#include <fmt/format.h>

#include <cstdio>

#include "lib/base/status.h"

namespace tieline::tools {
namespace {

std::string OneLine(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\n') {
      out += "; ";
    } else if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out;
}

void PrintLine(std::string line) {
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

std::string_view WhatOf(ExitCode code) {
  switch (code) {
    case ExitCode::kUnreachable:
      return "cannot connect";
    case ExitCode::kUnauthenticated:
      return "not authenticated";
    case ExitCode::kNotFound:
      return "not found or not permitted";
    case ExitCode::kRejected:
      return "rejected";
    case ExitCode::kTimedOut:
      return "timed out";
    case ExitCode::kInterrupted:
      return "interrupted";
    default:
      return "failed";
  }
}

// Why a broker is not connected.
ExitCode FailConnection(const BrokerMetrics& broker) {
  if (broker.last_error.empty()) {
    return Fail(ExitCode::kUnreachable, WhatOf(ExitCode::kUnreachable),
                broker.broker + ": no answer",
                "check that this port speaks the protocol of the URL, with or "
                "without TLS");
  }
  // A client library may tell it as one more failure to connect.
  const bool is_certificate =
      broker.last_error.find("certificate") != std::string::npos;
  return FailStatus(is_certificate
                        ? absl::UnauthenticatedError(broker.last_error)
                        : absl::UnavailableError(broker.last_error),
                    broker.broker);
}

}  // namespace

std::string_view RemedyFor(ExitCode code) {
  switch (code) {
    case ExitCode::kUnreachable:
      return "check host and port; `tieline doctor` goes step by step";
    case ExitCode::kUnauthenticated:
      return "check user, password, SASL mechanism and certificates";
    case ExitCode::kNotFound:
      return "check the entity's name and permissions, or add create=true";
    case ExitCode::kRejected:
      return "mend the message or the broker's limits, then send it again";
    case ExitCode::kTimedOut:
      return "try again, or give more time with --timeout";
    default:
      return "";
  }
}

ExitCode Fail(ExitCode code, std::string_view what, std::string_view where,
              std::string_view remedy) {
  std::string line = "tieline";
  for (std::string_view part : {what, where, remedy}) {
    if (!part.empty()) line += ": " + OneLine(part);
  }
  PrintLine(std::move(line));
  return code;
}

ExitCode FailConfig(const absl::Status& status) {
  std::string_view text = MessageOf(status);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    Fail(ExitCode::kConfig, "config", text.substr(0, end), "");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return ExitCode::kConfig;
}

ExitCode CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kUnavailable:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kUnauthenticated:
      return ExitCode::kUnauthenticated;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
      return ExitCode::kNotFound;
    case absl::StatusCode::kInvalidArgument:
      return ExitCode::kRejected;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
      return ExitCode::kTimedOut;
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    default:
      return ExitCode::kFailed;
  }
}

ExitCode FailStatus(const absl::Status& status, std::string_view where) {
  const ExitCode code = CodeOf(status);
  const std::string_view text = MessageOf(status);
  // The library's messages mostly name the place and the remedy themselves.
  const bool has_place = text.find(where) != std::string_view::npos;
  const bool has_remedy = text.find("check ") != std::string_view::npos;
  return Fail(
      code, WhatOf(code),
      has_place ? std::string(text) : fmt::format("{}: {}", where, text),
      has_remedy ? "" : RemedyFor(code));
}

ExitCode FailStatus(const absl::Status& status, std::string_view where,
                    const Bus& bus) {
  // An entity's name that the broker does not take is none of its entities.
  if (status.code() == absl::StatusCode::kInvalidArgument) {
    return FailStatus(absl::NotFoundError(status.message()), where);
  }
  const bool may_be_unreachable =
      status.code() == absl::StatusCode::kDeadlineExceeded ||
      status.code() == absl::StatusCode::kResourceExhausted;
  if (may_be_unreachable) {
    for (const BrokerMetrics& broker : bus.metrics().brokers) {
      if (!broker.up) return FailConnection(broker);
    }
  }
  return FailStatus(status, where);
}

}  // namespace tieline::tools
