/* links.c - a program of nothing but the layers that it is linked with. */
int main(void) { return 0; }
