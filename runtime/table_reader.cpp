// Reads checked values out of a TOML table and collects errors that name file, line, expectation
// and value.
#include "runtime/table_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

namespace memformer {

namespace {

// What a user wrote, as TOML would write it; long values are cut.
std::string print(const toml::node &node) {
  std::ostringstream stream;
  node.visit([&](const auto &value) { stream << value; });
  std::string text = stream.str();
  if (text.size() > 60)
    text = text.substr(0, 57) + "...";
  return text;
}

int64_t editDistance(std::string_view a, std::string_view b) {
  std::vector<int64_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    int64_t diagonal = row[0];
    row[0] = int64_t(i) + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      int64_t substitute = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substitute, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

// The bounds of a number, as a person would write them.
std::string interval(double least, double most, std::string_view open) {
  bool above = open.find('(') != std::string_view::npos;
  bool below = open.find(')') != std::string_view::npos;
  if (std::isinf(most))
    return fmt::format("a number {} {}", above ? "greater than" : "of at least", least);
  return fmt::format("a number in {}{}, {}{}", above ? '(' : '[', least, most, below ? ')' : ']');
}

} // namespace

std::string nearest(std::string_view word, const std::set<std::string> &candidates) {
  std::string best;
  int64_t bestDistance = std::max<int64_t>(2, int64_t(word.size()) / 3) + 1;
  for (const std::string &candidate : candidates) {
    int64_t distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best;
}

void TableReader::enter(std::string_view name) {
  section = name;
  known[section];
}

const toml::node *TableReader::find(std::string_view key) {
  known[section].emplace(key);
  const toml::node *table = document.get(section);
  return table && table->is_table() ? table->as_table()->get(key) : nullptr;
}

std::string TableReader::where(std::string_view key, const toml::node *node) const {
  auto option = overrides.find(fmt::format("{}.{}", section, key));
  if (option != overrides.end())
    return "--set " + option->second;
  if (!node)
    node = document.get(section);
  if (node && node->source().begin)
    return fmt::format("{}:{}", file, node->source().begin.line);
  return file;
}

void TableReader::mismatch(std::string_view key, const toml::node &node,
                           std::string_view expected) {
  messages.push_back(fmt::format("{}: expected {} to be {}, but got {}", where(key, &node), key,
                                 expected, print(node)));
}

bool TableReader::has(std::string_view key) { return find(key) != nullptr; }

void TableReader::integer(std::string_view key, int64_t &value, int64_t least, int64_t most) {
  const toml::node *node = find(key);
  if (!node)
    return;
  const auto *integer = node->as_integer();
  if (integer && integer->get() >= least && integer->get() <= most) {
    value = integer->get();
    return;
  }
  std::string expected = most >= std::numeric_limits<int32_t>::max()
                             ? fmt::format("an integer of at least {}", least)
                             : fmt::format("an integer in [{}, {}]", least, most);
  if (integer && integer->get() > most && most >= std::numeric_limits<int32_t>::max())
    expected = fmt::format("an integer of at most {}", most);
  mismatch(key, *node, expected);
}

void TableReader::number(std::string_view key, double &value, double least, double most,
                         std::string_view open) {
  const toml::node *node = find(key);
  if (!node)
    return;
  double found = std::numeric_limits<double>::quiet_NaN();
  if (const auto *integer = node->as_integer())
    found = double(integer->get());
  else if (const auto *real = node->as_floating_point())
    found = real->get();
  bool above = open.find('(') == std::string_view::npos ? found >= least : found > least;
  bool below = open.find(')') == std::string_view::npos ? found <= most : found < most;
  if (std::isfinite(found) && above && below)
    value = found;
  else
    mismatch(key, *node, interval(least, most, open));
}

void TableReader::powerOfTwo(std::string_view key, double &value, int least, int most,
                             std::string_view word, bool &isWord) {
  const toml::node *node = find(key);
  if (!node)
    return;
  double found = 0;
  if (const auto *integer = node->as_integer())
    found = double(integer->get());
  else if (const auto *real = node->as_floating_point())
    found = real->get();
  int exponent = 0;
  const bool isPower = std::isfinite(found) && std::frexp(found, &exponent) == 0.5 &&
                       exponent - 1 >= least && exponent - 1 <= most;
  isWord = node->is_string() && node->as_string()->get() == word;
  if (isPower)
    value = found;
  else if (!isWord)
    mismatch(key, *node, fmt::format("\"{}\" or a power of two, 2^{} to 2^{}", word, least, most));
}

void TableReader::boolean(std::string_view key, bool &value) {
  const toml::node *node = find(key);
  if (!node)
    return;
  if (const auto *boolean = node->as_boolean())
    value = boolean->get();
  else
    mismatch(key, *node, "true or false");
}

void TableReader::string(std::string_view key, std::string &value) {
  const toml::node *node = find(key);
  if (!node)
    return;
  if (const auto *string = node->as_string())
    value = string->get();
  else
    mismatch(key, *node, "a string");
}

void TableReader::choice(std::string_view key, size_t &index,
                         const std::vector<std::string_view> &choices) {
  const toml::node *node = find(key);
  if (!node)
    return;
  if (const auto *string = node->as_string()) {
    auto found = std::find(choices.begin(), choices.end(), string->get());
    if (found != choices.end()) {
      index = size_t(found - choices.begin());
      return;
    }
  }
  mismatch(key, *node, fmt::format("\"{}\"", fmt::join(choices, "\" or \"")));
}

void TableReader::range(std::string_view key, int64_t &low, int64_t &high, int64_t least) {
  const toml::node *node = find(key);
  if (!node)
    return;
  constexpr int64_t most = 1 << 24;
  if (const auto *integer = node->as_integer()) {
    if (integer->get() >= least && integer->get() <= most) {
      low = high = integer->get();
      return;
    }
  } else if (const auto *array = node->as_array(); array && array->size() == 2) {
    const auto *first = array->get(0)->as_integer();
    const auto *second = array->get(1)->as_integer();
    if (first && second && first->get() >= least && second->get() >= first->get() &&
        second->get() <= most) {
      low = first->get();
      high = second->get();
      return;
    }
  }
  mismatch(
      key, *node,
      fmt::format("an integer of at least {0}, or [LOW, HIGH] with {0} <= LOW <= HIGH", least));
}

void TableReader::require(std::string_view key) {
  if (!find(key))
    messages.push_back(
        fmt::format("{}: expected [{}] to set {}", where("", nullptr), section, key));
}

void TableReader::fail(std::string_view key, std::string message) {
  messages.push_back(fmt::format("{}: {}", where(key, find(key)), message));
}

void TableReader::rejectUnknown() {
  std::set<std::string> sections;
  for (const auto &[name, keys] : known)
    sections.insert(name);
  std::vector<std::string> unknown;
  for (const auto &[sectionKey, node] : document) {
    section = sectionKey.str();
    auto keys = known.find(section);
    if (keys == known.end()) {
      std::string guess = nearest(section, sections);
      std::string hint = guess.empty()
                             ? fmt::format("expected one of [{}]", fmt::join(sections, "], ["))
                             : fmt::format("did you mean [{}]?", guess);
      unknown.push_back(
          fmt::format("{}: unknown section [{}]; {}", where("", &node), section, hint));
      continue;
    }
    const toml::table *table = node.as_table();
    if (!table) {
      unknown.push_back(fmt::format("{}: expected [{}] to be a table, but got {}", where("", &node),
                                    section, print(node)));
      continue;
    }
    for (const auto &[key, value] : *table) {
      if (keys->second.contains(std::string(key.str())))
        continue;
      std::string hint;
      if (std::string guess = nearest(key.str(), keys->second); !guess.empty())
        hint = fmt::format("; did you mean '{}'?", guess);
      for (const auto &[other, otherKeys] : known)
        if (hint.empty() && otherKeys.contains(std::string(key.str())))
          hint = fmt::format("; it belongs to [{}]", other);
      if (hint.empty() && keys->second.empty())
        hint = ", which has no keys here";
      if (hint.empty())
        hint = fmt::format("; the keys of [{}] are {}", section, fmt::join(keys->second, ", "));
      unknown.push_back(fmt::format("{}: unknown key '{}' in [{}]{}", where(key.str(), &value),
                                    std::string_view(key.str()), section, hint));
    }
  }
  // A mistyped key is also a missing one: the first message is enough.
  if (!unknown.empty())
    messages = std::move(unknown);
}

} // namespace memformer
