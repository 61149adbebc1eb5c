/* test_json.c - texts as JSON, where memory runs out in the middle of them. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

/* {"key0":["xxx...\n",1],...}: strings, one of them longer than all else, keys and lists of many sizes. */
static char *long_text(void) {
  enum { KEYS = 3000, LONG = 100000 };
  char *text = malloc(KEYS * 64 + LONG), *at = text;
  CHECK(text);
  at += sprintf(at, "{\"long\":\"");
  memset(at, 'x', LONG / 2);
  at += LONG / 2;
  at += sprintf(at, "\\u00e9\"");
  for (int i = 0; i < KEYS; i++)
    at += sprintf(at, ",\"key%d\":[\"a\\nb%d\",%d.5,null,{}]", i, i, i);
  strcpy(at, "}");
  return text;
}

TEST(a_value_lives_until_it_is_freed) {
  char *text = long_text();
  size_t before = icl__memory_in_use();
  icl__json *json;
  json_error_t error;
  CHECK_OK(icl__json_parse(text, strlen(text), JSON_REJECT_DUPLICATES, &error, &json));
  free(text);
  json_t *list = json_object_get(icl__json_value(json), "key2999");
  CHECK_STR(json_string_value(json_array_get(list, 0)), "a\nb2999");
  CHECK_EQ(json_string_length(json_object_get(icl__json_value(json), "long")), 50002);
  icl__json_free(json);
  icl__json_free(NULL);
  CHECK_EQ(icl__memory_in_use(), before);
}

TEST(a_text_that_is_not_json) {
  size_t before = icl__memory_in_use();
  icl__json *json;
  json_error_t error;
  CHECK_EQ(icl__json_parse("[1, 2", 5, 0, &error, &json), ICL_EFORMAT);
  CHECK_CONTAINS(error.text, "']' expected");
  CHECK_EQ(icl__json_parse("{\"a\":1,\"a\":2}", 13, JSON_REJECT_DUPLICATES, &error, &json), ICL_EFORMAT);
  CHECK_CONTAINS(error.text, "duplicate");
  CHECK_EQ(icl__memory_in_use(), before);
}

TEST(memory_that_runs_out) {
  char *text = long_text();
  size_t before = icl__memory_in_use();
  icl__json *json;
  json_error_t error;
  int failures = 0;
  for (icl_status status = ICL_ENOMEM; status != ICL_OK; failures++) {
    icl__alloc_fail_after(failures);
    status = icl__json_parse(text, strlen(text), 0, &error, &json);
    icl__alloc_fail_after(-1);
    CHECK(status == ICL_OK || status == ICL_ENOMEM);
    CHECK(status == ICL_OK || icl__memory_in_use() == before);
  }
  CHECK(failures > 10);
  icl__json_free(json);
  free(text);
}

/* What others do with jansson in the same process is none of this. */
TEST(values_that_are_made_by_hand) {
  icl__json *json;
  json_error_t error;
  json_t *before = json_pack("{s:i}", "a", 1);
  CHECK_OK(icl__json_parse("[]", 2, 0, &error, &json));
  json_t *behind = json_pack("[O]", before);
  icl__json_free(json);
  CHECK_EQ(json_integer_value(json_object_get(json_array_get(behind, 0), "a")), 1);
  json_decref(behind);
  json_decref(before);
}
