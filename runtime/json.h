// JSON that strangers wrote: parsing and typed access without exceptions.
#pragma once

#include "runtime/result.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace memformer {

/// Parses a text. Errors: syntax (with the byte), a key that occurs twice in an object, and nesting
/// deeper than `maxDepth`.
Result<nlohmann::json> parseJson(std::string_view text, int maxDepth);

/// The first thing found wrong while a document is walked. Accessors go on with a default value
/// after an error, so that a reader is one straight line of code with one check at its end.
class JsonErrors {
public:
  bool any() const { return !first.empty(); }
  template <class... Args>
  void add(std::string_view where, fmt::format_string<Args...> format, Args &&...args) {
    if (first.empty())
      first = fmt::format("{}: {}", where, fmt::format(format, std::forward<Args>(args)...));
  }
  Result<void> result() const {
    if (any())
      return std::unexpected(Error{first});
    return {};
  }

private:
  std::string first;
};

/// A value and where it stands ("manifest.spaces[2]").
class JsonReader {
public:
  JsonReader(const nlohmann::json &value, std::string where, JsonErrors &errors)
      : value(&value), where(std::move(where)), errors(&errors) {}

  const nlohmann::json &json() const { return *value; }
  const std::string &path() const { return where; }
  /// "manifest" of "manifest.functions".
  std::string parentPath() const { return where.substr(0, where.rfind('.')); }
  template <class... Args> void fail(fmt::format_string<Args...> format, Args &&...args) const {
    errors->add(where, format, std::forward<Args>(args)...);
  }

  /// Members of an object; a missing one or another type is an error. `has` is false for
  /// non-objects.
  bool has(const char *key) const;
  JsonReader member(const char *key) const;
  std::string string(const char *key) const { return member(key).asString(); }
  uint64_t unsignedInteger(const char *key, uint64_t maximum) const {
    return member(key).asUnsigned(maximum);
  }

  std::string asString() const;
  uint64_t asUnsigned(uint64_t maximum) const;
  double asNumber() const;
  bool asBoolean() const;
  /// Entries of an array; 0 and an error if it is none.
  size_t arraySize() const;
  JsonReader element(size_t index) const;
  bool expectObject() const;

private:
  template <class Value> void mismatch(const char *expected, const Value &found) const;
  const nlohmann::json *value;
  std::string where;
  JsonErrors *errors;
};

} // namespace memformer
