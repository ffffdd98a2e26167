// Runs the tools as a user does: as processes, by their command lines.
#include "test/product/process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace memformer::test {

namespace {

// Between fork and exec only what is safe there: all strings are made before.
[[noreturn]] void execute(char *const *arguments, char *const *environment, int output) {
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

std::string readAll(int descriptor) {
  std::string text;
  char buffer[4096];
  while (true) {
    ssize_t got = ::read(descriptor, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return text;
    text.append(buffer, size_t(got));
  }
}

} // namespace

Outcome runTool(const std::vector<std::string> &words, const std::string &cache, int64_t killAfter,
                const std::vector<std::string> &variables) {
  std::vector<std::string> own = words;
  own[0] = std::string(MEMFORMER_TOOLS "/") + words[0];
  std::vector<char *> arguments;
  for (std::string &word : own)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::string home = "XDG_CACHE_HOME=" + cache;
  std::string path = std::string("PATH=") + std::getenv("PATH");
  std::vector<std::string> added = variables;
  std::vector<char *> environment = {home.data(), path.data()};
  for (std::string &variable : added)
    environment.push_back(variable.data());
  environment.push_back(nullptr);

  int ends[2];
  if (::pipe(ends) != 0)
    return {-1, "cannot make a pipe"};
  pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    execute(arguments.data(), environment.data(), ends[1]);
  }
  ::close(ends[1]);
  // The child is waited for below, so its number cannot have become another process' by then.
  std::jthread killer;
  if (killAfter > 0)
    killer = std::jthread([child, killAfter] {
      ::usleep(useconds_t(killAfter));
      ::kill(child, SIGKILL);
    });
  Outcome outcome;
  outcome.output = readAll(ends[0]);
  ::close(ends[0]);
  if (killer.joinable())
    killer.join();
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  outcome.status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  return outcome;
}

} // namespace memformer::test
