// Finds barriers, waits and matrix products in PTX text, and changes one of them.

#include "test/emulator/ptx_mutants.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace memformer::emulator {

namespace {

using Kind = MutationSite::Kind;

bool isSpace(char c) { return std::isspace(static_cast<unsigned char>(c)); }

bool startsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

/// The text without comments, which are blank.
std::string withoutComments(std::string_view ptx) {
  std::string text(ptx);
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    std::string_view opening = std::string_view(text).substr(i, 2);
    if (opening != "//" && opening != "/*")
      continue;
    std::string_view closing = opening == "//" ? "\n" : "*/";
    size_t end = std::min(text.find(closing, i + 2), text.size());
    if (closing == "*/")
      end = std::min(end + 2, text.size());
    for (; i < end; ++i)
      if (text[i] != '\n')
        text[i] = ' ';
    --i;
  }
  return text;
}

/// What an instruction is, without its guard.
std::optional<Kind> kindOf(std::string_view instruction) {
  if (!instruction.empty() && instruction[0] == '@') {
    size_t space =
        std::find_if(instruction.begin(), instruction.end(), isSpace) - instruction.begin();
    instruction.remove_prefix(space);
    while (!instruction.empty() && isSpace(instruction[0]))
      instruction.remove_prefix(1);
  }
  if (startsWith(instruction, "bar.warp.sync"))
    return Kind::WarpBarrier;
  for (std::string_view barrier : {"bar.sync", "bar.cta.sync", "barrier.sync", "barrier.cta.sync"})
    if (startsWith(instruction, barrier))
      return Kind::Barrier;
  if (startsWith(instruction, "cp.async.wait_"))
    return Kind::Wait;
  if (startsWith(instruction, "mma.sync"))
    return Kind::Fragment;
  return std::nullopt;
}

/// The registers of the second list in braces, where the first two different ones change places.
std::string swapFragment(std::string text) {
  size_t open = text.find('{', text.find('}'));
  size_t close = text.find('}', open);
  std::vector<std::pair<size_t, size_t>> registers; // begin, length
  for (size_t at = text.find('%', open); at < close; at = text.find('%', at + 1)) {
    size_t end = at;
    while (end < close && text[end] != ',' && !isSpace(text[end]))
      ++end;
    registers.emplace_back(at, end - at);
  }
  for (size_t i = 1; i < registers.size(); ++i) {
    std::string first = text.substr(registers[0].first, registers[0].second);
    std::string other = text.substr(registers[i].first, registers[i].second);
    if (first == other)
      continue;
    text.replace(registers[i].first, registers[i].second, first);
    text.replace(registers[0].first, registers[0].second, other);
    break;
  }
  return text;
}

} // namespace

std::vector<MutationSite> mutationSites(std::string_view ptx) {
  std::vector<MutationSite> sites;
  std::string text = withoutComments(ptx);
  unsigned line = 1, beginLine = 1;
  size_t begin = 0;
  bool blank = true; // nothing of the statement so far
  int list = 0;      // depth of braces inside a statement
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    line += c == '\n';
    if (isSpace(c))
      continue;
    bool opensBlock = c == '{' && blank, closesBlock = c == '}' && !list;
    if (c == ';') {
      std::string_view statement = std::string_view(text).substr(begin, i + 1 - begin);
      if (auto kind = kindOf(statement); kind && !blank)
        sites.push_back({*kind, beginLine, std::string(statement), begin, i + 1});
      blank = true;
    } else if (opensBlock || closesBlock || (c == ':' && !list)) {
      blank = true; // a block or a label is no part of the next statement
    } else {
      list += (c == '{') - (c == '}');
      if (blank) {
        begin = i;
        beginLine = line;
      }
      blank = false;
    }
    if (blank)
      list = 0;
  }
  return sites;
}

std::string mutated(std::string_view ptx, const MutationSite &site) {
  std::string instruction(ptx.substr(site.begin, site.end - site.begin)), changed;
  size_t group = instruction.find("wait_group");
  if (site.kind == Kind::Fragment) {
    changed = swapFragment(instruction);
  } else if (site.kind == Kind::Wait && group != std::string::npos) {
    size_t number = instruction.find_first_of("0123456789", group);
    changed = instruction.substr(0, number) +
              std::to_string(std::stoul(instruction.substr(number)) + 1) + ";";
  } else {
    changed.assign(size_t(std::count(instruction.begin(), instruction.end(), '\n')), '\n');
  }
  return std::string(ptx.substr(0, site.begin)) + changed + std::string(ptx.substr(site.end));
}

} // namespace memformer::emulator
