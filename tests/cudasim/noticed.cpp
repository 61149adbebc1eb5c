/* noticed.cpp - see noticed.h. */
#include "noticed.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int passed, failed;

void expect(bool condition, const char *what) {
  passed += condition;
  failed += !condition;
  if (!condition)
    printf("failed: %s\n", what);
}

std::string output_of(const std::function<void()> &body) {
  int ends[2];
  fflush(nullptr);
  if (pipe(ends))
    return "no pipe";
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    body();
    fprintf(stderr, "nothing was noticed\n");
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, (size_t)n);
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return text;
}

void expect_noticed(const char *what, const char *words, const std::function<void()> &body) {
  std::string text = output_of(body);
  bool noticed = text.find(words) != std::string::npos;
  expect(noticed, what);
  if (!noticed)
    printf("  expected '%s', got: %s", words, text.substr(0, 600).c_str());
}

int close_tests() {
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0 || passed == 0;
}
