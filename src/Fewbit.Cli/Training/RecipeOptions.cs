using System.CommandLine;

namespace Fewbit.Cli.Training;

/// <summary>An option of the command line that stands for a key of a recipe.</summary>
/// <param name="Name">The option.</param>
/// <param name="Key">The key in the section "training".</param>
/// <param name="Value">What it takes, for the help.</param>
/// <param name="Description">What it does.</param>
internal sealed record RecipeOption(string Name, string Key, string Value, string Description)
{
    public Option<string?> Create() => new(Name) { Description = Description, HelpName = Value };
}

/// <summary>The options of fewbit train that a recipe can state too. Those of maps come behind the options that replace the maps.</summary>
internal static class RecipeOptions
{
    public static IReadOnlyList<RecipeOption> All { get; } =
    [
        new("--data", "data", "DIR|FILE", "Data to learn from: a folder of pictures, CIFAR-10 batches, CSV, IDX, .npy, .npz; for language models a text or token numbers (.bin)."),
        new("--steps-per-epoch", "steps-per-epoch", "N", "Steps that count as an epoch. Default: one pass over the data."),
        new("--tokens", "tokens", "NAME", "For text: characters or words. Default: characters."),
        new("--vocabulary", "vocabulary", "FILE", "For text: the vocabulary of an earlier training. Default: that of the data."),
        new("--validation", "validation", "DIR|FILE", "Data to judge by after each epoch."),
        new("--validation-share", "validation-share", "SHARE", "Hold out this share of the data to judge by."),
        new("--epochs", "epochs", "N", "Passes over the data. Default: 10."),
        new("--batch", "batch", "N", "Samples a step. Default: 128."),
        new("--drop-last", "drop-last", "true|false", "Leave out the samples that fill no whole batch. Default: false."),
        new("--optimizer", "optimizer", "NAME", "sgd, adam, adamw or rmsprop. Default: sgd."),
        new("--lr", "optimizer.learning-rate", "RATE", "Learning rate. Default: 0.1 for sgd, 0.001 for adam and adamw, 0.01 for rmsprop."),
        new("--momentum", "optimizer.momentum", "SHARE", "Momentum of sgd (default 0.9) and rmsprop."),
        new("--weight-decay", "optimizer.weight-decay", "FACTOR", "Weight decay. Default: 0; 0.01 for adamw."),
        new("--schedule", "schedule", "NAME", "constant, step, multi-step, cosine, linear, one-cycle or plateau. Default: constant."),
        new("--warm-up", "schedule.warm-up-steps", "STEPS", "Steps in which the rate rises to its full size."),
        new("--loss", "loss", "NAME", "cross-entropy, focal, kl, mse, l1, huber or pinball. Default: cross-entropy."),
        new("--label-smoothing", "loss.label-smoothing", "SHARE", "Share of the target spread over all classes."),
        new("--augment", "augment", "NAME", "Random changes of pictures: none, or cifar (crop of 4 padded pixels, flip). Default: none."),
        new("--clip-norm", "clip-norm", "NORM", "Largest norm of all gradients together."),
        new("--average-decay", "average-decay", "DECAY", "Judge and write a running average of the weights, such as 0.999."),
        new("--keep", "keep", "last|best", "The epoch to write. Default: last."),
        new("--weights", "weights", "FILE", "Weights to start from: safetensors, .npz, or PyTorch's .pth, .pt, .th with the model's names and shapes."),
        new("--classes", "classes", "N", "Classes of a reference model. Default: those of the data."),
        new("--input-size", "input-size", "N", "Picture side, or tokens, of a reference model."),
        new("--preprocess", "preprocess", "NAME|FILE", "From picture to input: a preset or a JSON file. Default: what the model's metadata state."),
        new("--labels", "labels", "FILE", "The classes in their order: a name a line, or index, tab, names."),
        new("--label-pattern", "label-pattern", "REGEX", "Regular expression on file names whose group is the class."),
        new("--label-key", "label-key", "NAME", "Array of an .npz file, or .npy file, that holds the labels."),
    ];
}
