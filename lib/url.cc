#include "tieline/url.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/status/status.h"

namespace tieline::inline v0 {
namespace {

constexpr size_t kMaxLength = 8 << 10;
constexpr size_t kMaxParams = 64;
constexpr size_t kMaxHosts = 64;

bool IsAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Letters, digits and what RFC 3986 calls unreserved.
bool IsUnreserved(char c) {
  return IsAlpha(c) || IsDigit(c) || c == '-' || c == '.' || c == '_' ||
         c == '~';
}

std::string Encode(std::string_view text, std::string_view also_plain) {
  std::string out;
  for (char c : text) {
    if (IsUnreserved(c) || also_plain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// Walks over the text. Errors name the offset, and never quote what may be
// part of a password.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<Url> Parse() {
    absl::Status status = Whole();
    if (!status.ok()) return status;
    return std::move(url_);
  }

 private:
  absl::Status Fault(size_t at, std::string_view what) {
    return absl::InvalidArgumentError(
        fmt::format("url: character {}: {}", at + 1, what));
  }

  absl::Status Whole() {
    if (text_.size() > kMaxLength) {
      return Fault(kMaxLength, "longer than 8 KiB");
    }
    for (size_t i = 0; i < text_.size(); ++i) {
      if (static_cast<unsigned char>(text_[i]) <= ' ' || text_[i] == '\x7f') {
        return Fault(i,
                     fmt::format("a space or control character; write %{:02X}",
                                 static_cast<unsigned char>(text_[i])));
      }
    }
    const size_t hash = text_.find('#');
    if (hash != std::string_view::npos) {
      return Fault(hash, "'#' has no meaning here; write %23");
    }
    absl::Status status = Scheme();
    if (!status.ok()) return status;
    const size_t end = std::min(text_.find_first_of("/?", at_), text_.size());
    status = Authority(end);
    if (!status.ok()) return status;
    at_ = end;
    status = Path();
    if (!status.ok()) return status;
    return Query();
  }

  absl::Status Scheme() {
    const size_t colon = text_.find("://");
    if (colon == std::string_view::npos || colon == 0) {
      return Fault(0,
                   "expected SCHEME://HOST:PORT/ENTITY, such as "
                   "amqp://localhost:5672/orders");
    }
    for (size_t i = 0; i < colon; ++i) {
      const char c = text_[i];
      if (!IsAlpha(c) &&
          (i == 0 || !(IsDigit(c) || c == '+' || c == '-' || c == '.'))) {
        return Fault(i,
                     "a scheme is letters, digits, '+', '-' and '.', then "
                     "\"://\"");
      }
      url_.scheme += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    at_ = colon + 3;
    return absl::OkStatus();
  }

  absl::Status Authority(size_t end) {
    const size_t sign = text_.substr(0, end).rfind('@');
    if (sign != std::string_view::npos && sign >= at_) {
      size_t colon = text_.find(':', at_);
      const bool has_password = colon < sign;
      if (!has_password) colon = sign;
      auto user = Decode(at_, colon);
      if (!user.ok()) return user.status();
      url_.user = *std::move(user);
      if (has_password) {
        auto password = Decode(colon + 1, sign);
        if (!password.ok()) return password.status();
        url_.password = Secret(*std::move(password));
      }
      at_ = sign + 1;
    }
    if (at_ == end) return absl::OkStatus();  // no host: file:///...
    while (true) {
      const size_t comma = std::min(text_.find(',', at_), end);
      absl::Status status = Host(comma);
      if (!status.ok()) return status;
      if (comma == end) return absl::OkStatus();
      at_ = comma + 1;
    }
  }

  absl::Status Host(size_t end) {
    if (url_.hosts.size() == kMaxHosts) return Fault(at_, "more than 64 hosts");
    HostPort host;
    size_t colon;
    if (at_ < end && text_[at_] == '[') {
      const size_t bracket = text_.find(']', at_);
      if (bracket >= end) {
        return Fault(at_, "an IPv6 address is written [ADDRESS]:PORT");
      }
      host.host = text_.substr(at_ + 1, bracket - at_ - 1);
      for (size_t i = at_ + 1; i < bracket; ++i) {
        const char c = text_[i];
        if (HexDigit(c) < 0 && c != ':' && c != '.') {
          return Fault(i, "not part of an IPv6 address");
        }
      }
      colon = bracket + 1;
      if (colon < end && text_[colon] != ':') {
        return Fault(colon, "expected ':' and a port, or the end of the host");
      }
    } else {
      colon = std::min(text_.find(':', at_), end);
      for (size_t i = at_; i < colon; ++i) {
        if (!IsUnreserved(text_[i])) {
          return Fault(i,
                       "not part of a host name; a '/', '?', '#', '@' or "
                       "':' in a user or password is written %2F, %3F, "
                       "%23, %40 or %3A");
        }
      }
      host.host = text_.substr(at_, colon - at_);
    }
    if (host.host.empty()) return Fault(at_, "expected a host");
    if (colon < end) {
      auto port = Port(colon + 1, end);
      if (!port.ok()) return port.status();
      host.port = *port;
    }
    url_.hosts.push_back(std::move(host));
    return absl::OkStatus();
  }

  absl::StatusOr<int> Port(size_t from, size_t end) {
    int port = 0;
    for (size_t i = from; i < end && port <= 65535; ++i) {
      if (!IsDigit(text_[i])) {
        return Fault(i,
                     "a port is a number from 1 to 65535 (a '/' or '@' in "
                     "a password is written %2F or %40)");
      }
      port = port * 10 + (text_[i] - '0');
    }
    if (port < 1 || port > 65535) {
      return Fault(from, "a port is a number from 1 to 65535");
    }
    return port;
  }

  absl::Status Path() {
    if (at_ == text_.size() || text_[at_] != '/') return absl::OkStatus();
    const size_t end = std::min(text_.find('?', at_), text_.size());
    const size_t sign = text_.find('@', at_);
    if (sign < end) {
      return Fault(sign,
                   "'@' in an entity is written %40, and '/' in a "
                   "password %2F");
    }
    auto path = Decode(at_ + 1, end);
    if (!path.ok()) return path.status();
    url_.path = *std::move(path);
    at_ = end;
    return absl::OkStatus();
  }

  absl::Status Query() {
    if (at_ == text_.size()) return absl::OkStatus();
    ++at_;
    while (at_ < text_.size()) {
      const size_t end = std::min(text_.find('&', at_), text_.size());
      const size_t equals = std::min(text_.find('=', at_), end);
      if (equals == at_ || equals == end) {
        return Fault(at_, "a parameter is written NAME=VALUE");
      }
      auto name = Decode(at_, equals);
      if (!name.ok()) return name.status();
      auto value = Decode(equals + 1, end);
      if (!value.ok()) return value.status();
      if (url_.params.size() == kMaxParams) {
        return Fault(at_, "more than 64 parameters");
      }
      if (!url_.params.emplace(*name, *std::move(value)).second) {
        return Fault(at_, "a parameter is given twice; keep one");
      }
      at_ = end + 1;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Decode(size_t from, size_t to) {
    std::string out;
    for (size_t i = from; i < to; ++i) {
      if (text_[i] != '%') {
        out += text_[i];
        continue;
      }
      const int high = i + 1 < to ? HexDigit(text_[i + 1]) : -1;
      const int low = i + 2 < to ? HexDigit(text_[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Fault(i,
                     "'%' must be followed by two hexadecimal digits; "
                     "write %25 for the sign itself");
      }
      if (high == 0 && low == 0) return Fault(i, "%00 is not allowed");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
  Url url_;
};

std::string HostText(const HostPort& host, int default_port) {
  const int port = host.port != 0 ? host.port : default_port;
  const bool brackets = host.host.find(':') != std::string::npos;
  std::string out = brackets ? "[" + host.host + "]" : host.host;
  return port != 0 ? fmt::format("{}:{}", out, port) : out;
}

}  // namespace

absl::StatusOr<Url> Url::Parse(std::string_view text) {
  return Parser(text).Parse();
}

std::string Url::ToString() const {
  std::string out = scheme + "://";
  if (!user.empty() || !password.empty()) {
    out += Encode(user, "");
    if (!password.empty()) out += ":***";
    out += '@';
  }
  out += HostList(0);
  if (!path.empty()) out += "/" + Encode(path, "/!$'()*+,;=:");
  char sign = '?';
  for (const auto& [name, value] : params) {
    out += sign + Encode(name, "") + "=" + Encode(value, "/!$'()*,;:@");
    sign = '&';
  }
  return out;
}

std::string Url::HostList(int default_port) const {
  std::string out;
  for (const HostPort& host : hosts) {
    if (!out.empty()) out += ',';
    out += HostText(host, default_port);
  }
  return out;
}

}  // namespace tieline::inline v0
