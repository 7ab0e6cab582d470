// Loaded into the program by LD_PRELOAD: after LOSE_AFTER seconds a kernel that traps runs on GPU LOSE_GPU, in the
// context that the program computes in. So is tested from outside what the program does when its GPUs are lost. The
// program that takes its place after that, and its readers, are left alone.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kernel =
    ".version 7.0\n.target sm_70\n.address_size 64\n.visible .entry lose()\n{\n trap;\n}\n";

static void *lose(void *nothing) {
    (void)nothing;
    usleep((useconds_t)(atof(getenv("LOSE_AFTER")) * 1e6));
    void *cuda = dlopen("libcuda.so.1", RTLD_NOW);
    int (*device_of)(int *, int) = dlsym(cuda, "cuDeviceGet");
    int (*retain)(void **, int) = dlsym(cuda, "cuDevicePrimaryCtxRetain");
    int (*enter)(void *) = dlsym(cuda, "cuCtxSetCurrent");
    int (*load)(void **, const void *) = dlsym(cuda, "cuModuleLoadData");
    int (*find)(void **, void *, const char *) = dlsym(cuda, "cuModuleGetFunction");
    int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void *, void **,
                  void **) = dlsym(cuda, "cuLaunchKernel");
    int device;
    void *context, *module, *function;
    int failed = device_of(&device, atoi(getenv("LOSE_GPU"))) || retain(&context, device) || enter(context)
        || load(&module, kernel) || find(&function, module, "lose")
        || launch(function, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL);
    fprintf(stderr, "[lost.c] a kernel that traps %s GPU %s\n", failed ? "could NOT be given to" : "runs on",
            getenv("LOSE_GPU"));
    return NULL;
}

__attribute__((constructor)) static void begin(void) {
    char arguments[4096] = {0};
    FILE *file = fopen("/proc/self/cmdline", "r");
    size_t n = file ? fread(arguments, 1, sizeof arguments - 1, file) : 0;
    if (file) fclose(file);
    int is_meant = 0;
    for (size_t at = 0; at + 6 <= n; at++) is_meant |= !memcmp(arguments + at, "\0exec\0", 6);
    if (!is_meant || !getenv("LOSE_AFTER") || getenv("RUNNER_RESTARTS")) return;
    pthread_t thread;
    pthread_create(&thread, NULL, lose, NULL);
}
