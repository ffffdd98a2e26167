// Errors as values: what a function returns that a user's input can make fail.
#pragma once

#include <expected>
#include <fmt/format.h>
#include <string>
#include <utility>

namespace memformer {

/// A message for a person: lower-case, no full stop, what was expected, what was found, where.
struct Error {
  std::string message;
};

template <class T> using Result = std::expected<T, Error>;

/// `return error("expected {} bytes, but got {}", a, b);` in a function that returns a Result.
template <class... Args>
[[nodiscard]] std::unexpected<Error> error(fmt::format_string<Args...> format, Args &&...args) {
  return std::unexpected(Error{fmt::format(format, std::forward<Args>(args)...)});
}

/// Passes on the error of `result`, with "context: " before its message.
template <class T>
[[nodiscard]] std::unexpected<Error> withContext(const Result<T> &result,
                                                 std::string_view context) {
  return std::unexpected(Error{fmt::format("{}: {}", context, result.error().message)});
}

} // namespace memformer

/// Returns the error of a Result<T> from the enclosing function, or goes on and drops the value.
#define MEMFORMER_TRY(expression)                                                                  \
  do {                                                                                             \
    if (auto memformerTried = (expression); !memformerTried)                                       \
      return std::unexpected(std::move(memformerTried.error()));                                   \
  } while (false)
