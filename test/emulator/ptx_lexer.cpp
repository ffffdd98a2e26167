// Tokens of PTX: words (with % or $), dotted words as in ".reg", numbers, strings and punctuation.

#include "test/emulator/ptx_lexer.h"

#include <cctype>

namespace memformer::emulator {

namespace {

bool isWordStart(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%';
}

bool isWord(char c) { return isWordStart(c) || std::isdigit(static_cast<unsigned char>(c)); }

} // namespace

std::expected<std::vector<Token>, std::string> tokenize(std::string_view text) {
  std::vector<Token> tokens;
  unsigned line = 1;
  size_t at = 0;
  auto here = [&](size_t i) { return i < text.size() ? text[i] : '\0'; };
  auto add = [&](Token::Kind kind, size_t begin, size_t end) {
    tokens.push_back({kind, text.substr(begin, end - begin), line, begin});
    at = end;
  };
  while (at < text.size()) {
    char c = text[at];
    if (c == '\n') {
      ++line;
      ++at;
    } else if (std::isspace(static_cast<unsigned char>(c))) {
      ++at;
    } else if (c == '/' && here(at + 1) == '/') {
      while (at < text.size() && text[at] != '\n')
        ++at;
    } else if (c == '/' && here(at + 1) == '*') {
      size_t end = text.find("*/", at + 2);
      if (end == std::string_view::npos)
        return std::unexpected("line " + std::to_string(line) + ": comment without an end");
      for (; at < end + 2; ++at)
        line += text[at] == '\n';
    } else if (c == '"') {
      size_t end = text.find('"', at + 1);
      if (end == std::string_view::npos)
        return std::unexpected("line " + std::to_string(line) + ": string without an end");
      add(Token::Kind::String, at, end + 1);
    } else if (std::isdigit(static_cast<unsigned char>(c))) {
      size_t end = at;
      while (isWord(here(end)) ||
             (here(end) == '.' && std::isdigit(static_cast<unsigned char>(here(end + 1)))))
        ++end;
      add(Token::Kind::Number, at, end);
    } else if (isWordStart(c)) {
      size_t end = at + 1;
      while (isWord(here(end)) && here(end) != '%')
        ++end;
      add(Token::Kind::Word, at, end);
    } else if (c == '.' && isWord(here(at + 1))) {
      size_t end = at + 1;
      // A level of cache is part of a word: ".L2::128B".
      while (isWord(here(end)) || (here(end) == ':' && here(end + 1) == ':'))
        end += here(end) == ':' ? 2 : 1;
      tokens.push_back({Token::Kind::Dotted, text.substr(at + 1, end - at - 1), line, at});
      at = end;
    } else if (std::string_view(",;:{}()[]<>+-=@!|*").find(c) != std::string_view::npos) {
      add(Token::Kind::Punctuation, at, at + 1);
    } else {
      return std::unexpected("line " + std::to_string(line) + ": expected PTX, but found '" + c +
                             "'");
    }
  }
  tokens.push_back({Token::Kind::End, {}, line, text.size()});
  return tokens;
}

} // namespace memformer::emulator
