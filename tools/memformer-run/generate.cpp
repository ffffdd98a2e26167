// memformer-run generate: goes on from a prompt, token by token.
#include "runtime/file.h"
#include "runtime/generation/generator.h"
#include "runtime/generation/sampling.h"
#include "runtime/training/checkpoint.h"
#include "tools/memformer-run/command.h"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

namespace memformer {

namespace {

struct Options {
  ModelRequest request;
  std::string weights;
  std::optional<std::string> prompt, promptFile, promptTokens;
  int64_t tokens = 256;
  Sampling sampling;
  unsigned threads = 1;
  bool json = false;
};

std::vector<int32_t> tokensOf(std::string_view text) {
  std::vector<int32_t> tokens;
  for (char c : text)
    tokens.push_back(int32_t(static_cast<unsigned char>(c)));
  return tokens;
}

// Numbers with spaces, line ends or commas between them.
Result<std::vector<int32_t>> parseTokens(const std::string &path, std::string_view text) {
  std::vector<int32_t> tokens;
  const char *at = text.data(), *end = at + text.size();
  auto isBetween = [](char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',';
  };
  while (true) {
    while (at != end && isBetween(*at))
      ++at;
    if (at == end)
      break;
    int32_t token = 0;
    auto [rest, problem] = std::from_chars(at, end, token);
    if (problem != std::errc() || (rest != end && !isBetween(*rest)))
      return error("{}: expected token ids, but got '{}' at offset {}", path,
                   std::string_view(at, std::min<size_t>(size_t(end - at), 16)), at - text.data());
    tokens.push_back(token);
    at = rest;
  }
  if (tokens.empty())
    return error("{}: expected token ids, but the file has none", path);
  return tokens;
}

Result<std::vector<int32_t>> readPrompt(const Options &options, bool text, int64_t vocab) {
  std::vector<int32_t> tokens;
  const std::optional<std::string> &path =
      options.promptFile ? options.promptFile : options.promptTokens;
  if ((options.prompt || options.promptFile) && !text)
    return error("{}: the tokens of this model are not bytes: give --prompt-tokens FILE instead of "
                 "text",
                 options.request.path);
  if (options.prompt) {
    tokens = tokensOf(*options.prompt);
  } else if (path) {
    auto bytes = readFile(*path);
    if (!bytes)
      return std::unexpected(bytes.error());
    const std::string_view content(reinterpret_cast<const char *>(bytes->data()), bytes->size());
    if (content.empty())
      return error("{}: expected a prompt, but the file is empty", *path);
    if (options.promptFile) {
      tokens = tokensOf(content);
    } else {
      auto parsed = parseTokens(*path, content);
      if (!parsed)
        return parsed;
      tokens = std::move(*parsed);
    }
  }
  for (size_t i = 0; i < tokens.size(); ++i)
    if (tokens[i] < 0 || tokens[i] >= vocab)
      return error("{}: expected tokens in [0, {}), but token {} is {}",
                   path ? *path : std::string("--prompt"), vocab, i, tokens[i]);
  return tokens;
}

std::string render(std::span<const int32_t> tokens, bool text) {
  std::string result;
  for (int32_t token : tokens)
    if (text)
      result += char(static_cast<unsigned char>(token));
    else
      result += fmt::format("{}{}", result.empty() ? "" : " ", token);
  return result;
}

Result<void> print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return error("cannot write to standard output: {}", std::strerror(errno));
  return {};
}

/// A continuation of each row.
struct Continuation {
  std::vector<std::vector<int32_t>> rows;
  double seconds = 0; // of the tokens after the prompt
};

Result<Continuation> goOn(Generator &generator, const Options &options,
                          std::span<const int32_t> prompt, bool text) {
  std::vector<int32_t> next(size_t(generator.rows()));
  for (int32_t token : prompt) {
    std::ranges::fill(next, token);
    MEMFORMER_TRY(generator.feed(next));
  }
  Continuation result;
  result.rows.resize(next.size());
  const bool streams = next.size() == 1 && !options.json;
  Sampler sampler(options.sampling);
  const auto vocab = size_t(generator.vocab());
  const auto begin = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < options.tokens; ++i) {
    auto logits = generator.logits();
    if (!logits)
      return std::unexpected(logits.error());
    for (size_t row = 0; row < next.size(); ++row) {
      auto token =
          sampler.sample(logits->subspan(row * vocab, vocab), prompt.size() + size_t(i), row);
      if (!token)
        return withContext(token, fmt::format("token {}", i));
      next[row] = *token;
      // A stream may be without end: what is printed is not kept.
      if (!streams)
        result.rows[row].push_back(*token);
    }
    MEMFORMER_TRY(generator.feed(next));
    if (streams)
      MEMFORMER_TRY(print(text ? render(next, true) : fmt::format("{}{}", i ? " " : "", next[0])));
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

Result<int> run(const Options &options) {
  if ((options.prompt ? 1 : 0) + (options.promptFile ? 1 : 0) + (options.promptTokens ? 1 : 0) > 1)
    return error("expected one of --prompt, --prompt-file and --prompt-tokens, but got several");
  MEMFORMER_TRY(checkSampling(options.sampling));
  ModelRequest request = options.request;
  request.generation = true;
  auto model = openModel(request);
  if (!model)
    return std::unexpected(model.error());
  auto weights = weightsOf(*model, options.weights, options.request.path, "to generate with");
  if (!weights)
    return std::unexpected(weights.error());
  auto session = openSession(*model, request, 1, options.threads);
  if (!session)
    return std::unexpected(session.error());
  MEMFORMER_TRY(loadWeights(**session, *weights));
  auto generator = Generator::create(**session, int32_t(model->configuration.data.bos));
  if (!generator)
    return withContext(generator, options.request.path);
  const bool text = readsText(model->configuration, generator->vocab());
  auto prompt = readPrompt(options, text, generator->vocab());
  if (!prompt)
    return std::unexpected(prompt.error());

  if (!options.json && text && generator->rows() == 1)
    MEMFORMER_TRY(print(render(*prompt, true)));
  auto result = goOn(*generator, options, *prompt, text);
  if (!result)
    return std::unexpected(result.error());
  if (options.json) {
    nlohmann::ordered_json json = {{"model", options.request.path},
                                   {"prompt_tokens", prompt->size()},
                                   {"tokens", result->rows},
                                   {"seconds", result->seconds}};
    if (result->seconds > 0)
      json["tokens_per_second"] = double(options.tokens * generator->rows()) / result->seconds;
    if (text)
      for (const auto &row : result->rows)
        json["text"].push_back(render(row, true));
    MEMFORMER_TRY(
        print(json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)));
  } else if (generator->rows() > 1) {
    for (const auto &row : result->rows)
      MEMFORMER_TRY(print(render(row, text) + "\n"));
    return 0;
  }
  MEMFORMER_TRY(print("\n"));
  return 0;
}

} // namespace

void addGenerate(CLI::App &app, Action &action) {
  auto options = std::make_shared<Options>();
  CLI::App *command = app.add_subcommand("generate", "go on from a prompt, token by token");
  addModelOptions(*command, options->request);
  addThreads(*command, options->threads);
  addDevice(*command, options->request);
  command->add_option("--weights", options->weights, "weights or a checkpoint [those of the run]");
  command->add_option("--prompt", options->prompt, "text to go on from [the beginning]");
  command->add_option("--prompt-file", options->promptFile, "a file of text to go on from");
  command->add_option("--prompt-tokens", options->promptTokens,
                      "a file of token ids to go on from, with spaces or commas between them");
  command->add_option("--tokens", options->tokens, "tokens to generate")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40))
      ->capture_default_str();
  command
      ->add_option("--temperature", options->sampling.temperature,
                   "divides logits; 0: always the likeliest token")
      ->capture_default_str();
  command->add_option("--top-k", options->sampling.topK, "only the K likeliest tokens; 0: all")
      ->capture_default_str();
  command
      ->add_option("--top-p", options->sampling.topP,
                   "only the likeliest tokens that have this probability together")
      ->capture_default_str();
  command->add_option("--seed", options->sampling.seed, "of the draws")->capture_default_str();
  command->add_flag("--json", options->json, "print JSON, at the end");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

} // namespace memformer
