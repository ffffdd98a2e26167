// Reads the settings of MEMFORMER_EMULATOR.

#include "test/emulator/modes.h"

#include <charconv>
#include <initializer_list>

namespace memformer::emulator {

namespace {

struct Choice {
  std::string_view name;
  unsigned value;
};

struct Setting {
  std::string_view name, value;

  std::string expected(const std::string &what) const {
    return "MEMFORMER_EMULATOR: expected " + std::string(name) + " to be " + what + ", but got '" +
           std::string(value) + "'";
  }

  std::expected<unsigned, std::string> oneOf(std::initializer_list<Choice> choices) const {
    std::string names;
    for (const Choice &choice : choices) {
      if (choice.name == value)
        return choice.value;
      names += (names.empty() ? "" : " or ") + std::string(choice.name);
    }
    return std::unexpected(expected(names));
  }

  std::expected<uint64_t, std::string> number(uint64_t most) const {
    uint64_t result = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    if (error != std::errc() || end != value.data() + value.size() || result > most)
      return std::unexpected(expected("a number up to " + std::to_string(most)));
    return result;
  }
};

/// Assigns what was read, or returns the error.
template <typename T, typename Read>
std::expected<void, std::string> assign(T &to, const Read &read) {
  if (!read)
    return std::unexpected(read.error());
  to = T(*read);
  return {};
}

std::expected<void, std::string> applyRaces(Modes &modes, const Setting &setting) {
  auto value = setting.oneOf({{"off", 0}, {"on", 1}, {"all", 2}});
  if (!value)
    return std::unexpected(value.error());
  modes.races = *value > 0;
  modes.globalRaces = *value > 1;
  return {};
}

std::expected<void, std::string> apply(Modes &modes, const Setting &setting) {
  auto isOn = [&] { return setting.oneOf({{"off", 0}, {"on", 1}}); };
  auto isLazy = [&] { return setting.oneOf({{"eager", 0}, {"lazy", 1}}); };
  if (setting.name == "order")
    return assign(modes.order, setting.oneOf({{"forward", unsigned(Order::Forward)},
                                              {"reverse", unsigned(Order::Reverse)},
                                              {"random", unsigned(Order::Random)}}));
  if (setting.name == "seed")
    return assign(modes.seed, setting.number(UINT64_MAX));
  if (setting.name == "copies")
    return assign(modes.lazyCopies, isLazy());
  if (setting.name == "streams")
    return assign(modes.lazyStreams, isLazy());
  if (setting.name == "races")
    return applyRaces(modes, setting);
  if (setting.name == "poison")
    return assign(modes.poison, isOn());
  if (setting.name == "placement")
    return assign(modes.adversarialPlacement, setting.oneOf({{"aligned", 0}, {"adversarial", 1}}));
  if (setting.name == "architecture")
    return assign(modes.architecture, setting.number(999));
  if (setting.name == "devices")
    return assign(modes.devices, setting.number(1));
  if (setting.name == "driver")
    return assign(modes.driver, setting.number(99999));
  if (setting.name == "memory")
    return assign(modes.memory, setting.number(uint64_t(1) << 36));
  if (setting.name == "launches") {
    modes.launches = setting.value;
    return {};
  }
  if (setting.name == "skip")
    return assign(modes.skip, setting.number(UINT32_MAX));
  if (setting.name == "threads")
    return assign(modes.threads, setting.number(256));
  return std::unexpected("MEMFORMER_EMULATOR: unknown setting '" + std::string(setting.name) + "'");
}

} // namespace

std::expected<Modes, std::string> parseModes(std::string_view text) {
  Modes modes;
  while (!text.empty()) {
    std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    size_t equals = item.find('=');
    if (equals == std::string_view::npos)
      return std::unexpected("MEMFORMER_EMULATOR: expected NAME=VALUE, but got '" +
                             std::string(item) + "'");
    if (auto done = apply(modes, {item.substr(0, equals), item.substr(equals + 1)}); !done)
      return std::unexpected(done.error());
  }
  return modes;
}

} // namespace memformer::emulator
