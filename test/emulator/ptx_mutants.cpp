// Finds barriers, waits, matrix products, loops and addresses in PTX text, and changes one of them.

#include "test/emulator/ptx_mutants.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <span>

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

/// An instruction without its guard.
std::string_view unguarded(std::string_view instruction) {
  if (!instruction.empty() && instruction[0] == '@') {
    size_t space =
        std::find_if(instruction.begin(), instruction.end(), isSpace) - instruction.begin();
    instruction.remove_prefix(space);
    while (!instruction.empty() && isSpace(instruction[0]))
      instruction.remove_prefix(1);
  }
  return instruction;
}

/// What an instruction is, seen alone.
std::optional<Kind> kindOf(std::string_view instruction) {
  instruction = unguarded(instruction);
  if (startsWith(instruction, "bar.warp.sync"))
    return Kind::WarpBarrier;
  for (std::string_view barrier : {"bar.sync", "bar.cta.sync", "barrier.sync", "barrier.cta.sync"})
    if (startsWith(instruction, barrier))
      return Kind::Barrier;
  for (std::string_view fence : {"fence.proxy.async", "wgmma.fence"})
    if (startsWith(instruction, fence))
      return Kind::Fence;
  for (std::string_view wait : {"cp.async.wait_", "wgmma.wait_group", "mbarrier.try_wait"})
    if (startsWith(instruction, wait))
      return Kind::Wait;
  for (std::string_view product : {"mma.sync", "wgmma.mma_async"})
    if (startsWith(instruction, product))
      return Kind::Fragment;
  if (startsWith(instruction, "ld.param."))
    return startsWith(instruction, "ld.param.b64") || startsWith(instruction, "ld.param.u64")
               ? std::optional(Kind::Pointer)
               : std::nullopt;
  for (std::string_view access : {"ld.shared", "st.shared", "ld.global", "st.global", "cp.async.ca",
                                  "cp.async.cg", "cp.async.bulk"})
    if (startsWith(instruction, access))
      return Kind::Place;
  if (startsWith(instruction, "ldmatrix."))
    return Kind::Matrices;
  return std::nullopt;
}

/// The parts of an instruction: its name and its operands, as they are written.
std::vector<std::string> wordsOf(std::string_view instruction) {
  std::vector<std::string> words;
  for (size_t at = 0; at < instruction.size();) {
    size_t end = at;
    while (end < instruction.size() && !isSpace(instruction[end]) && instruction[end] != ',' &&
           instruction[end] != ';')
      ++end;
    if (end > at)
      words.emplace_back(instruction.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::optional<int64_t> numberOf(const std::string &word) {
  size_t sign = !word.empty() && word[0] == '-';
  if (word.size() == sign || word.size() > 12 ||
      word.find_first_not_of("0123456789", sign) != std::string::npos)
    return std::nullopt;
  return std::stoll(word);
}

/// A statement, or a label where it has no words.
struct Statement {
  std::string label;
  std::vector<std::string> words; // without the guard
  MutationSite site;
};

/// Comparisons at the ends of loops, and what moves on in their rounds.
void addLoopSites(const std::vector<Statement> &statements, std::vector<MutationSite> &sites) {
  auto add = [&](const Statement &statement, Kind kind, int64_t change) {
    MutationSite site = statement.site;
    site.kind = kind;
    site.change = change;
    auto isSame = [&](const MutationSite &other) {
      return other.begin == site.begin && other.kind == kind;
    };
    if (std::none_of(sites.begin(), sites.end(), isSame))
      sites.push_back(site);
  };
  for (size_t end = 0; end < statements.size(); ++end) {
    const std::vector<std::string> &branch = statements[end].words;
    if (branch.size() < 2 || !startsWith(branch[0], "bra"))
      continue;
    size_t begin = end;
    while (begin > 0 && statements[begin].label != branch[1])
      --begin;
    if (statements[begin].label != branch[1])
      continue;
    auto loop = std::span(statements).subspan(begin, end - begin);
    for (const Statement &step : loop) {
      if (step.words.size() != 4 || !startsWith(step.words[0], "add.s"))
        continue;
      std::optional<int64_t> by = numberOf(step.words[3]);
      const std::string &to = step.words[1], &from = step.words[2];
      bool goesRound = to == from;
      for (const Statement &other : loop)
        goesRound |= other.words.size() == 3 && startsWith(other.words[0], "mov.") &&
                     other.words[1] == from && other.words[2] == to;
      if (!by || !*by || !goesRound)
        continue;
      bool isCompared = false;
      for (const Statement &other : loop) {
        if (other.words.size() != 4 || !startsWith(other.words[0], "setp.") ||
            (other.words[2] != to && other.words[2] != from))
          continue;
        isCompared = true;
        if (numberOf(other.words[3]))
          add(other, Kind::Bound, -*by);
      }
      if (!isCompared)
        add(step, Kind::Stride, 4);
    }
  }
}

/// The registers of a list in braces that begins at or after `from`, where the first two different
/// ones change places.
std::string swapRegisters(std::string text, size_t from) {
  size_t open = text.find('{', from);
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

/// An address 4 bytes further: "[%rd1+8]".
std::string movePlace(std::string text) {
  size_t close = text.find(']'), plus = text.find('+', text.find('['));
  if (plus == std::string::npos || plus > close)
    return text.insert(close, "+4");
  int64_t offset = std::stoll(text.substr(plus + 1, close - plus - 1)) + 4;
  return text.replace(plus + 1, close - plus - 1, std::to_string(offset));
}

/// The last operand, a number, and what is added to it.
std::string moveNumber(const std::string &text, int64_t change) {
  size_t begin = text.find_last_of(", \t") + 1, end = text.find(';', begin);
  int64_t number = std::stoll(text.substr(begin, end - begin)) + change;
  // Comparisons without a sign take numbers of 32 bits.
  if (text.find("setp") != std::string::npos && text.find(".s") == std::string::npos)
    number = int64_t(uint32_t(number));
  return text.substr(0, begin) + std::to_string(number) + text.substr(end);
}

} // namespace

std::vector<MutationSite> mutationSites(std::string_view ptx) {
  std::vector<MutationSite> sites;
  std::vector<Statement> statements;
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
    bool inName = c == ':' && (text[i - (i > 0)] == ':' || text[i + 1] == ':'); // shared::cta
    if (c == ';') {
      std::string_view statement = std::string_view(text).substr(begin, i + 1 - begin);
      MutationSite site{Kind::Barrier, beginLine, std::string(statement), begin, i + 1};
      if (auto kind = kindOf(statement); kind && !blank) {
        site.kind = *kind;
        sites.push_back(site);
      }
      if (!blank)
        statements.push_back({"", wordsOf(unguarded(statement)), site});
      blank = true;
    } else if (opensBlock || closesBlock || (c == ':' && !list && !inName)) {
      if (c == ':' && !blank)
        statements.push_back({std::string(text.substr(begin, i - begin)), {}, {}});
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
  addLoopSites(statements, sites);
  std::sort(sites.begin(), sites.end(),
            [](const auto &one, const auto &other) { return one.begin < other.begin; });
  return sites;
}

const char *nameOf(Kind kind) {
  static constexpr const char *names[mutationKinds] = {
      "barrier",  "warp barrier", "fence",  "wait",  "fragment",
      "matrices", "bound",        "stride", "place", "pointer"};
  return names[size_t(kind)];
}

std::string mutated(std::string_view ptx, const MutationSite &site) {
  std::string instruction(ptx.substr(site.begin, site.end - site.begin)), changed;
  size_t group = instruction.find("wait_group");
  if (site.kind == Kind::Fragment) {
    // Behind D's list, or in it where the factors have no registers.
    changed = swapRegisters(
        instruction, instruction.find("wgmma") == std::string::npos ? instruction.find('}') : 0);
  } else if (site.kind == Kind::Matrices) {
    changed = swapRegisters(instruction, 0);
  } else if (site.kind == Kind::Place) {
    changed = movePlace(instruction);
  } else if (site.kind == Kind::Bound || site.kind == Kind::Stride) {
    changed = moveNumber(instruction, site.change);
  } else if (site.kind == Kind::Pointer) {
    size_t begin = instruction.find('%', instruction.find("ld.param"));
    std::string to = instruction.substr(begin, instruction.find(',', begin) - begin);
    changed = instruction + " add.s64 " + to + ", " + to + ", 4;";
  } else if (site.kind == Kind::Wait && instruction.find("try_wait") != std::string::npos) {
    // It always succeeds.
    size_t begin = instruction.find('%');
    changed = "setp.eq.u32 " + instruction.substr(begin, instruction.find(',') - begin) + ", 0, 0;";
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
