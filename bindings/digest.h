/* digest.h - digests of files and tensors. */
#ifndef ICL_BINDINGS_DIGEST_H
#define ICL_BINDINGS_DIGEST_H

#include "binding.h"

#include <md5.h>

/* Pushes a digest as md5sum prints it. */
void icl__lua_push_digest(lua_State *L, const uint8_t digest[MD5_DIGEST_LENGTH]);
void icl__lua_digest_functions(lua_State *L);

#endif
