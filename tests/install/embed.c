/* embed.c - a program that uses the installed library; tests/install/run.sh builds it through pkg-config. */
#include <icl.h>

#include <stdio.h>
#include <string.h>

int main(void) {
  if (strcmp(icl_status_name(ICL_ESHAPE), "ESHAPE") != 0)
    return 1;
  puts(icl_status_text(ICL_OK));
  return 0;
}
