// Atomic writes: the old content or the new, also when the disk is full.

#include "runtime/file.h"

#include <csignal>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace memformer {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "memformerXXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }
  void TearDown() override { fs::remove_all(folder); }

  static std::string read(const fs::path &path) {
    auto bytes = readFile(path);
    EXPECT_TRUE(bytes.has_value());
    return {reinterpret_cast<const char *>(bytes->data()), bytes->size()};
  }
  size_t entries() const {
    return size_t(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }

  fs::path folder;
};

TEST_F(FileTest, WritesAndReplaces) {
  const auto path = folder / "file";
  ASSERT_TRUE(writeFileAtomically(path, std::string_view("one")));
  EXPECT_EQ(read(path), "one");
  ASSERT_TRUE(writeFileAtomically(path, std::string_view("")));
  EXPECT_EQ(read(path), "");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, FullDiskLeavesTheOldFile) {
  const auto path = folder / "file";
  ASSERT_TRUE(writeFileAtomically(path, std::string_view("old")));
  // A limit on the size of files fails as a full disk does: in the middle of a write.
  struct rlimit before, limit;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  limit = before;
  limit.rlim_cur = 100000;
  auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  auto result = writeFileAtomically(path, std::string(1 << 20, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message, "cannot write " + path.native() + ": File too large");
  EXPECT_EQ(read(path), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, AnErrorOfTheWriterLeavesTheOldFile) {
  const auto path = folder / "file";
  ASSERT_TRUE(writeFileAtomically(path, std::string_view("old")));
  auto result = writeFileAtomically(path, [](FileWriter &writer) -> Result<void> {
    MEMFORMER_TRY(writer.write("half"));
    return error("no more");
  });
  EXPECT_EQ(result.error().message, "no more");
  EXPECT_EQ(read(path), "old");
  EXPECT_EQ(entries(), 1u);
}

TEST_F(FileTest, FollowsLinks) {
  ASSERT_TRUE(writeFileAtomically(folder / "real", std::string_view("old")));
  fs::create_symlink("real", folder / "link");
  ASSERT_TRUE(writeFileAtomically(folder / "link", std::string_view("new")));
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read(folder / "real"), "new");
}

TEST_F(FileTest, PlacesWhereNoFileCanBe) {
  EXPECT_EQ(writeFileAtomically(folder / "no" / "file", std::string_view("x")).error().message,
            "cannot write " + (folder / "no" / "file").native() + ": No such file or directory");
  EXPECT_EQ(writeFileAtomically(folder, std::string_view("x")).error().message,
            "cannot write " + folder.native() + ": it exists and is not a regular file");
  EXPECT_FALSE(writeFileAtomically("/dev/full", std::string_view("x")).has_value());
  EXPECT_TRUE(fs::exists("/dev/full"));
}

TEST_F(FileTest, ReadsWhatHasNoSize) {
  EXPECT_FALSE(readFile("/proc/self/status")->empty());
  EXPECT_EQ(readFile(folder).error().message,
            "cannot read " + folder.native() + ": it is a directory");
}

} // namespace
} // namespace memformer
