// Typed access to JSON.

#include "runtime/json.h"

#include <set>
#include <vector>

namespace memformer {

namespace {

const nlohmann::json nullValue;

/// The deepest nesting of brackets outside strings; a text that is no JSON gets some number.
int nesting(std::string_view text) {
  int depth = 0, deepest = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

/// Listens to a parse and notes the position of the first syntax error.
struct Validator : nlohmann::json::json_sax_t {
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  size_t errorPosition = 0;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t &) override { return true; }
  bool string(string_t &) override { return true; }
  bool binary(binary_t &) override { return true; }
  bool start_object(size_t) override {
    keys.emplace_back();
    return true;
  }
  bool key(string_t &name) override {
    if (keys.back().insert(name).second)
      return true;
    duplicate = name;
    return false;
  }
  bool end_object() override {
    keys.pop_back();
    return true;
  }
  bool start_array(size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) override {
    errorPosition = position;
    return false;
  }
};

} // namespace

Result<nlohmann::json> parseJson(std::string_view text, int maxDepth) {
  // Before the parser, whose memory grows with the depth.
  if (int depth = nesting(text); depth > maxDepth)
    return error("JSON nested {} deep, but expected at most {}", depth, maxDepth);
  Validator validator;
  if (!nlohmann::json::sax_parse(text, &validator)) {
    if (!validator.duplicate.empty())
      return error("JSON key '{}' occurs twice in an object", validator.duplicate);
    return error("JSON syntax error at byte {}", validator.errorPosition);
  }
  auto parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded())
    return error("JSON syntax error");
  return parsed;
}

template <class Value> void JsonReader::mismatch(const char *expected, const Value &found) const {
  fail("expected {}, but got {}", expected, found);
}

bool JsonReader::has(const char *key) const { return value->is_object() && value->contains(key); }

bool JsonReader::expectObject() const {
  if (!value->is_object())
    mismatch("an object", value->type_name());
  return value->is_object();
}

JsonReader JsonReader::member(const char *key) const {
  std::string path = where + "." + key;
  if (!expectObject())
    return {nullValue, path, *errors};
  auto found = value->find(key);
  if (found == value->end()) {
    errors->add(path, "missing");
    return {nullValue, path, *errors};
  }
  return {*found, path, *errors};
}

std::string JsonReader::asString() const {
  if (const auto *text = value->get_ptr<const std::string *>())
    return *text;
  mismatch("a string", value->type_name());
  return {};
}

uint64_t JsonReader::asUnsigned(uint64_t maximum) const {
  if (const auto *number = value->get_ptr<const uint64_t *>()) {
    if (*number <= maximum)
      return *number;
    fail("expected an integer in [0, {}], but got {}", maximum, *number);
    return 0;
  }
  if (const auto *number = value->get_ptr<const int64_t *>()) {
    // Built in memory, not parsed, a non-negative number may be stored as a signed one.
    if (*number >= 0 && uint64_t(*number) <= maximum)
      return uint64_t(*number);
    fail("expected an integer in [0, {}], but got {}", maximum, *number);
    return 0;
  }
  mismatch("a non-negative integer", value->type_name());
  return 0;
}

double JsonReader::asNumber() const {
  if (const auto *number = value->get_ptr<const double *>())
    return *number;
  if (const auto *number = value->get_ptr<const uint64_t *>())
    return double(*number);
  if (const auto *number = value->get_ptr<const int64_t *>())
    return double(*number);
  mismatch("a number", value->type_name());
  return 0;
}

bool JsonReader::asBoolean() const {
  if (const auto *truth = value->get_ptr<const bool *>())
    return *truth;
  mismatch("true or false", value->type_name());
  return false;
}

size_t JsonReader::arraySize() const {
  if (value->is_array())
    return value->size();
  mismatch("an array", value->type_name());
  return 0;
}

JsonReader JsonReader::element(size_t index) const {
  std::string path = fmt::format("{}[{}]", where, index);
  if (value->is_array() && index < value->size())
    return {(*value)[index], std::move(path), *errors};
  errors->add(path, "missing");
  return {nullValue, std::move(path), *errors};
}

} // namespace memformer
