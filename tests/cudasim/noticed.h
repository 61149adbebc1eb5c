/* noticed.h - tests that something forbidden is noticed: it runs in a process of its own, which must end with the words
 * that are expected of it. */
#ifndef ICL_TESTS_CUDASIM_NOTICED_H
#define ICL_TESTS_CUDASIM_NOTICED_H

#include <functional>
#include <string>

void expect(bool condition, const char *what);
/* What a process says that runs `body`. */
std::string output_of(const std::function<void()> &body);
void expect_noticed(const char *what, const char *words, const std::function<void()> &body);
/* Prints the closing line; what main() returns. */
int close_tests();

#endif
