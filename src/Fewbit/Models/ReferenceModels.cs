using Fewbit.Data;
using Fewbit.Graphs;

namespace Fewbit.Models;

/// <summary>The zoo of reference models.</summary>
public static class ReferenceModels
{
    private const int CifarClasses = 10, CifarSide = 32, ImageNetClasses = 1000, ImageNetSide = 224;

    /// <summary>All of them, in the order of lists.</summary>
    public static IReadOnlyList<ReferenceModel> All { get; } =
    [
        .. new[] { 20, 32, 44, 56, 110 }.Select(depth => Cifar($"resnet{depth}", $"CIFAR ResNet of {depth} layers", (x, classes) => CifarResNet.Build(x, classes, depth))),
        Cifar("resnet-tiny", "residual network of 10 layers, widths 12, 24, 32, for demonstrations", TinyResNet.Build),
        ImageNet("resnet18", "ResNet of 18 layers", (x, classes) => ResNet.Build(x, classes, [2, 2, 2, 2], isBottleneck: false)),
        ImageNet("resnet34", "ResNet of 34 layers", (x, classes) => ResNet.Build(x, classes, [3, 4, 6, 3], isBottleneck: false)),
        ImageNet("resnet50", "ResNet of 50 layers", (x, classes) => ResNet.Build(x, classes, [3, 4, 6, 3], isBottleneck: true)),
        ImageNet("mobilenetv2", "MobileNetV2, width 1.0", MobileNetV2.Build),
        ImageNet("regnetx-600mf", "RegNetX of 0.6 G multiply-adds", (x, classes) => RegNetX.Build(x, classes, [(1, 48), (3, 96), (5, 240), (7, 528)], groupWidth: 24)),
        ImageNet("regnetx-3.2gf", "RegNetX of 3.2 G multiply-adds", (x, classes) => RegNetX.Build(x, classes, [(2, 96), (6, 192), (15, 432), (2, 1008)], groupWidth: 48)),
        ImageNet("mnasnet1.0", "MNASNet-B1, width 1.0", MnasNet.Build),
        ImageNet("vit-tiny", "vision Transformer of patches 16 x 16, width 192 (DeiT-Ti)", (x, classes) => Transformer.BuildVision(x, classes, new(12, 192, 3), patch: 16)) with { InputMultiple = 16 },
        ImageNet("vit-small", "vision Transformer of patches 16 x 16, width 384 (DeiT-S)", (x, classes) => Transformer.BuildVision(x, classes, new(12, 384, 6), patch: 16)) with { InputMultiple = 16 },
        Text("transformer-decoder", "causal Transformer, 12 layers, width 384, 6 heads", 1000, 256, (x, kinds) => Transformer.BuildText(x, kinds, new(12, 384, 6), isCausal: true)),
        Text("transformer-encoder", "Transformer that sees all tokens, 12 layers, width 384, 6 heads", 1000, 256, (x, kinds) => Transformer.BuildText(x, kinds, new(12, 384, 6), isCausal: false)),
        Text("transformer", "causal Transformer of words, 6 layers, width 256, 4 heads", 10_000, 128,
            (x, kinds) => Transformer.BuildText(x, kinds, new(6, 256, 4), isCausal: true)) with { Initialization = InitializationScheme.Gpt2 },
        Text("transformer-tied", "the same with its scores tied to its embedding", 10_000, 128,
            (x, kinds) => Transformer.BuildText(x, kinds, new(6, 256, 4) { IsTied = true }, isCausal: true)) with { Initialization = InitializationScheme.Gpt2 },
        Text("transformer-char", "causal Transformer of characters, 4 layers, width 128, 4 heads, tied, without biases (nanoGPT on a CPU)", 65, 64,
            (x, kinds) => Transformer.BuildText(x, kinds, new(4, 128, 4) { HasBiases = false, IsTied = true }, isCausal: true)) with { Initialization = InitializationScheme.Gpt2 },
        Text("lstm-char", "language model of characters, 2 LSTM layers of 200", 65, 100, (x, kinds) => LstmLanguageModel.Build(x, kinds, 2, 200, isTied: false)) with { HasFreeLength = true },
        Text("lstm", "language model, 2 LSTM layers of 650", 10_000, 35, (x, kinds) => LstmLanguageModel.Build(x, kinds, 2, 650, isTied: false)) with { HasFreeLength = true },
        Text("lstm-tied", "the same with its scores tied to its embedding", 10_000, 35, (x, kinds) => LstmLanguageModel.Build(x, kinds, 2, 650, isTied: true)) with { HasFreeLength = true },
    ];

    /// <summary>The model of a name, in any case.</summary>
    /// <exception cref="ArgumentException">There is none; the message names the closest.</exception>
    public static ReferenceModel Find(string name) => All.FirstOrDefault(model => model.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException($"there is no reference model '{name}'{Suggestion(name)}", nameof(name));

    private static IEnumerable<string> Names => All.Select(model => model.Name);

    private static string Suggestion(string name) => Closest.Suggestion(name, Names) is { Length: > 0 } near ? near : $"; there are {string.Join(", ", Names)}";

    private static ReferenceModel Cifar(string name, string description, Func<Value, int, Value> build) => new(name, description, CifarClasses, CifarSide, build);

    private static ReferenceModel ImageNet(string name, string description, Func<Value, int, Value> build) => new(name, description, ImageNetClasses, ImageNetSide, build);

    private static ReferenceModel Text(string name, string description, int vocabulary, int tokens, Func<Value, int, Value> build) =>
        new(name, description, vocabulary, tokens, build) { TakesTokens = true };
}
