using System.CommandLine;
using Fewbit.Transforms;

namespace Fewbit.Cli.Quantizing;

/// <summary>What a command line says of transforms.</summary>
internal sealed record TransformSettings
{
    public bool Equalize { get; init; }
    public bool AbsorbBiases { get; init; }
    public bool CorrectBiases { get; init; }
}

/// <summary>The options of transforms.</summary>
internal sealed class TransformArguments
{
    private readonly Option<bool> _equalize = new("--equalize") { Description = "Scale channels between layers so that their weights have equal ranges; the float function stays." };
    private readonly Option<bool> _absorb = new("--absorb-biases") { Description = "Move what of a bias nearly always lies above 0 into the next layer (needs batch normalization)." };
    private readonly Option<bool> _correct = new("--correct-biases") { Description = "Take from biases what rounding adds to the mean of each layer's result." };

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _equalize, _absorb, _correct }) command.Options.Add(option);
    }

    public TransformSettings Read(ParseResult parsed) => new() { Equalize = parsed.GetValue(_equalize), AbsorbBiases = parsed.GetValue(_absorb), CorrectBiases = parsed.GetValue(_correct) };

    /// <summary>The library's transforms, in the order in which they build on each other.</summary>
    public static IReadOnlyList<ModelTransform> Create(TransformSettings settings)
    {
        List<ModelTransform> transforms = [];
        if (settings.Equalize) transforms.Add(new EqualizeLayers());
        if (settings.AbsorbBiases) transforms.Add(new AbsorbBiases());
        if (settings.CorrectBiases) transforms.Add(new CorrectBiases());
        return transforms;
    }
}
