/* amx_emulation.h - the instructions of AMX for bf16, on a processor without them. */
#ifndef ICL_TESTS_AMX_EMULATION_H
#define ICL_TESTS_AMX_EMULATION_H

/* From now on they do what they would: a handler of SIGILL carries them out. An instruction that AMX would refuse, and
 * a configuration other than eight whole registers, ends the program with a message. x86-64 only. */
void amx_emulate(void);

#endif
