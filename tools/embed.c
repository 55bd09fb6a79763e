/* embed NAME FILE -- a file as C: const char NAME[] and const size_t NAME_n. */
#include <stdio.h>

int
main(int argc, char **argv)
{
	FILE *f = argc == 3 ? fopen(argv[2], "rb") : NULL;
	size_t n = 0;
	int c;

	if (f == NULL) {
		fprintf(stderr, "usage: embed NAME FILE\n");
		return 64;
	}
	printf("#include <stddef.h>\nextern const char %s[];\n"
	    "extern const size_t %s_n;\nconst char %s[] = {", argv[1], argv[1],
	    argv[1]);
	while ((c = getc(f)) != EOF)
		printf("%s'\\x%02x',", n++ % 12 == 0 ? "\n" : "",
		    (unsigned)c);
	printf("\n0 };\nconst size_t %s_n = %zu;\n", argv[1], n);
	return ferror(f) || fclose(f) != 0 || fflush(stdout) != 0;
}
