// Secret: text that never prints. Only Reveal() gives it out.
#ifndef TIELINE_SECRET_H_
#define TIELINE_SECRET_H_

#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace tieline::inline v0 {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) = default;
  // Overwrites the memory.
  ~Secret();

  bool empty() const { return text_.empty(); }
  // For handing to a client library; never for a log or an error.
  std::string_view Reveal() const { return text_; }

  friend bool operator==(const Secret&, const Secret&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Secret&) {
    return out << "***";
  }

 private:
  std::string text_;
};

}  // namespace tieline::inline v0

#endif  // TIELINE_SECRET_H_
