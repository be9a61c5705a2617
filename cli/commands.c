/* The commands, and what is said of the program as a whole. */
#include "options.h"

const command *const commands[] = {&command_predict, &command_simulate, &command_verify,   &command_compare,
                                   &command_sweep,   &command_merge,    &command_lyapunov, &command_reproduce};
const size_t command_count = sizeof commands / sizeof *commands;

const command program = {
    .name = "sgflow",
    .summary = "weight fluctuations of linear networks under SGD",
    .text = "Predict how the weights of a linear network fluctuate under SGD, and prove it against SGD.",
    .statuses =
        "0\tsuccess or agree\n1\tdisagree\n2\tinconclusive\n" STATUS_USAGE
        "65\tbad data or config, or a combination that is not built\n" STATUS_ABSENT STATUS_OUTPUT STATUS_CHECKPOINT,
    .files = FILES_CONFIG FILES_OUTPUT,
    .examples = "sgflow verify config.yaml -o out.h5 --report report.html\ttheory and SGD, compared\n",
};
