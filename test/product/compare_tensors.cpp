// memformer-compare: two safetensors files, tensor by tensor.
//   memformer-compare FOUND EXPECTED WITHIN [--without SUFFIX]
// prints the worst difference relative to the largest entry of its tensor, and ends with 1 where it
// is more than WITHIN; tensors whose names end with SUFFIX are left out.
#include "test/product/tensors.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

using namespace memformer::test;

int main(int count, char **words) {
  bool leavesOut = count == 6 && std::string_view(words[4]) == "--without";
  if (count != 4 && !leavesOut) {
    std::fprintf(stderr, "usage: memformer-compare FOUND EXPECTED WITHIN [--without SUFFIX]\n");
    return 2;
  }
  auto found = readTensors(words[1]), expected = readTensors(words[2]);
  for (const auto *read : {&found, &expected})
    if (!*read) {
      std::fprintf(stderr, "error: %s\n", read->error().message.c_str());
      return 1;
    }
  if (leavesOut)
    std::erase_if(*expected, [&](const auto &entry) { return entry.first.ends_with(words[5]); });
  auto difference = compareToExpected(*found, *expected);
  if (!difference) {
    std::fprintf(stderr, "error: %s\n", difference.error().message.c_str());
    return 1;
  }
  std::printf("%.1e of the largest entry, in %s\n", difference->relative,
              difference->tensor.c_str());
  return difference->relative <= std::strtod(words[3], nullptr) ? 0 : 1;
}
