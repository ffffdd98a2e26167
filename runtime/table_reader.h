// Reads checked values out of a TOML table and collects errors that name file, line, expectation
// and value.
#pragma once

// The library is used header-only: its shared build throws exceptions, and would be one more file
// to ship.
#undef TOML_HEADER_ONLY
#undef TOML_SHARED_LIB
#define TOML_HEADER_ONLY 1
#define TOML_SHARED_LIB 0
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace memformer {

/// A document with its overrides, and the errors found in it so far.
class TableReader {
public:
  TableReader(const toml::table &document, std::string_view file,
              std::map<std::string, std::string> overrides)
      : document(document), file(file), overrides(std::move(overrides)) {}

  /// The following reads are of keys in [name].
  void enter(std::string_view name);

  bool has(std::string_view key);
  void integer(std::string_view key, int64_t &value, int64_t least,
               int64_t most = std::numeric_limits<int32_t>::max());
  /// A number in [least, most]; `open` leaves out the ends that it names ("(" and ")" as in
  /// intervals).
  void number(std::string_view key, double &value, double least, double most,
              std::string_view open = "");
  /// A power of two, from 2^least to 2^most, or `word`, which sets `isWord`.
  void powerOfTwo(std::string_view key, double &value, int least, int most, std::string_view word,
                  bool &isWord);
  void boolean(std::string_view key, bool &value);
  void string(std::string_view key, std::string &value);
  /// One of `choices`; gives its index.
  void choice(std::string_view key, size_t &index, const std::vector<std::string_view> &choices);
  /// An integer N (low = high = N) or [LOW, HIGH].
  void range(std::string_view key, int64_t &low, int64_t &high, int64_t least);

  /// The key has no default.
  void require(std::string_view key);
  /// An error about a key that was read, at its place in the text.
  void fail(std::string_view key, std::string message);
  /// Reports sections and keys that nothing has asked for.
  void rejectUnknown();

  const std::vector<std::string> &errors() const { return messages; }

private:
  const toml::node *find(std::string_view key);
  std::string where(std::string_view key, const toml::node *node) const;
  void mismatch(std::string_view key, const toml::node &node, std::string_view expected);

  const toml::table &document;
  std::string file;
  std::map<std::string, std::string> overrides; // dotted key -> the option as written
  std::string section;
  std::map<std::string, std::set<std::string>> known; // section -> keys asked for
  std::vector<std::string> messages;
};

/// The entry of `candidates` nearest to `word` by edit distance, or "" where none is near.
std::string nearest(std::string_view word, const std::set<std::string> &candidates);

} // namespace memformer
