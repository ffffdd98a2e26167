// Weights of PyTorch modules become ours and theirs again; what does not fit is named.
#include "runtime/file.h"
#include "runtime/safetensors.h"
#include "test/product/cases.h"
#include "test/product/process.h"
#include "test/product/tensors.h"
#include "test/training/temporary_folder.h"

#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>

using namespace memformer;
using namespace memformer::test;

namespace {

class Exchange : public testing::Test {
protected:
  std::string caseFile(const std::string &name, const std::string &file) const {
    return (std::filesystem::path(MEMFORMER_CASES) / name / file).native();
  }
  std::string file(const std::string &name) const { return (folder.path() / name).native(); }

  Outcome run(std::vector<std::string> words) {
    words.insert(words.begin(), "memformer-run");
    return runTool(words, folder.path() / "cache");
  }

  /// The error of an import of `from` as weights of the case.
  std::string refused(const std::string &name, const std::string &from,
                      const std::vector<std::string> &more = {}) {
    std::vector<std::string> words = {"import", caseFile(name, "model.toml"), from, "--out",
                                      file("refused.safetensors")};
    words.insert(words.end(), more.begin(), more.end());
    Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 1) << outcome.output;
    EXPECT_FALSE(std::filesystem::exists(file("refused.safetensors")));
    return outcome.output;
  }

  /// A file of zeros: tensors of f32.
  std::string zeros(const std::vector<std::pair<std::string, std::vector<int64_t>>> &shapes) {
    std::vector<std::vector<float>> values;
    std::vector<SafetensorsTensor> tensors;
    for (const auto &[name, shape] : shapes) {
      int64_t count = 1;
      for (int64_t extent : shape)
        count *= extent;
      values.emplace_back(size_t(count));
      tensors.push_back({name, SafetensorsType::F32, shape, {}});
    }
    for (size_t i = 0; i < tensors.size(); ++i)
      tensors[i].bytes = std::as_bytes(std::span(values[i]));
    EXPECT_TRUE(writeSafetensors(file("zeros.safetensors"), tensors));
    return file("zeros.safetensors");
  }

  TemporaryFolder folder;
};

class ExchangeOfCase : public Exchange, public testing::WithParamInterface<std::string> {};

} // namespace

// The files are what PyTorch wrote, in f64, and what was computed from the very same weights.
TEST_P(ExchangeOfCase, IsWhatWasComputedWithAndBackAgain) {
  const std::string model = caseFile(GetParam(), "model.toml");
  std::vector<std::string> renames;
  if (GetParam() == "transformer") // a stack within a module
    renames = {"--rename", "layers.=stack.layers.",   "--rename", "norm.=stack.norm.",
               "--rename", "position.weight=position"};
  std::vector<std::string> words = {"import", model, caseFile(GetParam(), "state_dict.safetensors"),
                                    "--out", file("ours.safetensors")};
  words.insert(words.end(), renames.begin(), renames.end());
  Outcome outcome = run(words);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  auto ours = readTensors(file("ours.safetensors"));
  auto expected = readTensors(caseFile(GetParam(), "weights.safetensors"));
  ASSERT_TRUE(ours && expected);
  ASSERT_EQ(ours->size(), expected->size());
  auto difference = compareToExpected(*ours, *expected);
  ASSERT_TRUE(difference) << difference.error().message;
  // An embedding that is divided by √d is rounded twice; nothing else is.
  EXPECT_LE(difference->relative, 2e-7) << difference->tensor;
  for (const auto &[name, tensor] : *expected)
    if (name != "embedding.weight" || GetParam() == "transformer" || GetParam() == "lstm") {
      EXPECT_EQ(compareBits({{name, tensor}}, {{name, ours->at(name)}}), "");
    }

  words = {
      "export", model, "--weights", file("ours.safetensors"), "--out", file("theirs.safetensors")};
  words.insert(words.end(), renames.begin(), renames.end());
  outcome = run(words);
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  auto theirs = readTensors(file("theirs.safetensors"));
  auto original = readTensors(caseFile(GetParam(), "state_dict.safetensors"));
  ASSERT_TRUE(theirs && original);
  original->erase("pos_emb.inv_freq"); // computed
  ASSERT_EQ(theirs->size(), original->size());
  difference = compareToExpected(*theirs, *original);
  ASSERT_TRUE(difference) << difference.error().message;
  EXPECT_LE(difference->relative, 2e-7) << difference->tensor;
}

INSTANTIATE_TEST_SUITE_P(Cases, ExchangeOfCase,
                         testing::Values("transformer", "lstm", "transformer-xl",
                                         "transformer-xl-replay", "compressive-transformer"),
                         caseName);

TEST_F(Exchange, SaysWhatDoesNotFit) {
  const std::string lstm = caseFile("lstm", "state_dict.safetensors");
  // Names that are not renamed: nothing is found, and nothing is taken.
  std::string text = refused("transformer", caseFile("transformer", "state_dict.safetensors"));
  EXPECT_NE(text.find("expected tensors that are missing: 'position.weight', "
                      "'layers.0.norm1.weight', 'layers.0.norm1.bias' and 24 more; and it has "
                      "tensors that the model does not: "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("'position'"), std::string::npos) << text;
  text = refused("lstm", lstm, {"--set", "model.layers=3"});
  EXPECT_NE(text.find("expected tensors that are missing: 'lstm.bias_ih_l2', "
                      "'lstm.weight_ih_l2', 'lstm.bias_hh_l2' and 1 more"),
            std::string::npos)
      << text;
  text = refused("lstm", lstm, {"--set", "model.layers=1"});
  EXPECT_NE(text.find("tensors that the model does not have: 'lstm.bias_hh_l1', "
                      "'lstm.bias_ih_l1', 'lstm.weight_hh_l1' and 1 more"),
            std::string::npos)
      << text;
  text = refused("lstm", lstm, {"--set", "model.vocab=20"});
  EXPECT_NE(text.find("tensor 'embedding.weight': expected shape [20, 17], as "), std::string::npos)
      << text;
  EXPECT_NE(text.find("has it, but got [19, 17]"), std::string::npos) << text;
  // Parts of a tensor, and a vector by heads.
  const std::string xl = caseFile("transformer-xl", "state_dict.safetensors");
  text = refused("transformer-xl", xl, {"--set", "model.heads=2"});
  EXPECT_NE(text.find("tensor 'r_w_bias': expected shape [2, 9], as "), std::string::npos) << text;
  text = refused("transformer-xl", xl, {"--set", "model.tie_embeddings=true"});
  EXPECT_NE(text.find("expected model.tie_embeddings = false"), std::string::npos) << text;
  text = refused("transformer-xl", zeros({{"r_w_bias", {3, 6}}}));
  EXPECT_NE(text.find("expected tensors that are missing: 'word_emb.emb_layers.0.weight', "
                      "'layers.0.dec_attn.qkv_net.weight', "),
            std::string::npos)
      << text;
  // One tensor twice, and what is no rule.
  text = refused("lstm", lstm, {"--rename", "output.bias=output.weight"});
  EXPECT_NE(text.find("--rename gives several tensors the name 'output.weight'"), std::string::npos)
      << text;
  text = refused("lstm", lstm, {"--rename", "output"});
  EXPECT_NE(text.find("--rename output: expected FROM=TO"), std::string::npos) << text;
  // A NaN, and no safetensors.
  auto bytes = readFile(lstm);
  ASSERT_TRUE(bytes.has_value());
  auto header = SafetensorsFile::open(lstm);
  ASSERT_TRUE(header.has_value());
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::memcpy(bytes->data() + header->find("output.bias")->begin + 8, &nan, 8);
  ASSERT_TRUE(writeFileAtomically(file("nan.safetensors"),
                                  {reinterpret_cast<const char *>(bytes->data()), bytes->size()}));
  text = refused("lstm", file("nan.safetensors"));
  EXPECT_NE(text.find("'output.bias'"), std::string::npos) << text;
  refused("lstm", caseFile("lstm", "model.toml"));
  // A model whose names are its author's.
  Outcome outcome = run({"import", std::string(MEMFORMER_CASES) + "/../../examples/recurrence.mlir",
                         lstm, "--out", file("refused.safetensors")});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.output.find("a model as IR has the names that its author gave it"),
            std::string::npos)
      << outcome.output;
}

// A run's checkpoint is exported as its weights are.
TEST_F(Exchange, ExportsARun) {
  folder.write("text", std::string(400, 'a') + std::string(400, 'b'));
  folder.write("model.toml",
               "[model]\nkind = \"transformer\"\nvocab = 256\nd_model = 6\nheads = 3\n"
               "d_ff = 5\nlayers = 1\nsegment = 7\n[train]\nsteps = 2\nbatch = 2\n[data]\n"
               "kind = \"text\"\npath = \"" +
                   file("text") + "\"\n");
  Outcome outcome = run({"train", file("model.toml"), "--out", file("run")});
  ASSERT_EQ(outcome.status, 0) << outcome.output;
  for (const std::vector<std::string> &more :
       {std::vector<std::string>{"--out", file("weights.st")},
        {"--out", file("checkpoint.st"), "--weights", file("run/checkpoint.safetensors")}}) {
    std::vector<std::string> words = {"export", file("run")};
    words.insert(words.end(), more.begin(), more.end());
    outcome = run(words);
    ASSERT_EQ(outcome.status, 0) << outcome.output;
  }
  auto one = readTensors(file("weights.st")), other = readTensors(file("checkpoint.st"));
  ASSERT_TRUE(one && other);
  EXPECT_EQ(one->at("layers.0.self_attn.in_proj_weight").shape, (std::vector<int64_t>{18, 6}));
  EXPECT_EQ(compareBits(*one, *other), "");
  EXPECT_EQ(run({"import", file("run"), file("weights.st"), "--out", file("back.st")}).status, 0);
  auto back = readTensors(file("back.st")), weights = readTensors(file("run/weights.safetensors"));
  ASSERT_TRUE(back && weights);
  EXPECT_EQ(compareBits(*back, *weights), "");
}

// The pages say what the table does.
TEST_F(Exchange, NamesAreThoseOfThePages) {
  const std::pair<const char *, const char *> pages[] = {
      {"transformer", "transformer.md"},
      {"transformer-xl", "transformer-xl.md"},
      {"compressive-transformer", "compressive-transformer.md"}};
  for (auto [kind, page] : pages) {
    Outcome outcome = run({"import", "--names", kind});
    ASSERT_EQ(outcome.status, 0) << outcome.output;
    std::string text;
    for (const char *name : {page, "transformer-xl.md"}) {
      auto bytes = readFile(std::string(MEMFORMER_CASES) + "/../../docs/" + name);
      ASSERT_TRUE(bytes.has_value());
      text.append(reinterpret_cast<const char *>(bytes->data()), bytes->size());
    }
    std::istringstream lines(outcome.output);
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count)
      EXPECT_NE(text.find(line + "\n"), std::string::npos) << page << ": " << line;
    EXPECT_GT(count, 7);
  }
  EXPECT_EQ(run({"export", "--names", "lstm"}).output, "lstm: the same names as here\n");
}
