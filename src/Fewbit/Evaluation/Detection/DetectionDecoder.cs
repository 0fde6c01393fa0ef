using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Evaluation.Detection;

/// <summary>Reads boxes out of a detector's outputs.</summary>
public abstract class DetectionDecoder
{
    /// <summary>The name that the command line takes.</summary>
    public abstract string Name { get; }

    /// <summary>How pictures become this detector's input, unless something else is asked for.</summary>
    public abstract Preprocessing Preprocessing { get; }

    /// <summary>Score from which on its authors show a box.</summary>
    public abstract double ShownScore { get; }

    /// <summary>The overlap above which its authors drop the less sure of two boxes.</summary>
    public abstract double SuppressedOverlap { get; }

    /// <summary>The boxes of one sample, before any suppression.</summary>
    /// <param name="outputs">The model's outputs by name.</param>
    /// <param name="row">Number of the sample in the batch.</param>
    /// <param name="leastScore">Boxes below are left out.</param>
    public abstract IEnumerable<DetectedBox> Decode(IReadOnlyDictionary<string, Tensor> outputs, int row, double leastScore);

    /// <summary>What each decoder wants, by name.</summary>
    public static IReadOnlyDictionary<string, string> Known { get; } = new Dictionary<string, string>
    {
        ["nanodet"] = "for strides 8, 16, 32: scores [1, places, classes] and distances [1, places, 4 x bins]",
        ["fastestdet"] = "one output [1, 5 + classes, height/16, width/16]",
        ["boxes-scores"] = "'boxes' [1, n, 4] of corners and 'scores' [1, n, classes]",
    };

    /// <summary>The decoder for a model's outputs, or null where none fits.</summary>
    /// <param name="model">The detector.</param>
    /// <param name="name">One of <see cref="Known"/>; null takes the first that fits.</param>
    public static DetectionDecoder? TryFor(IModelRunner model, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        foreach (string candidate in Known.Keys)
        {
            if (name is not null && candidate != name) continue;
            DetectionDecoder? decoder = candidate switch
            {
                "nanodet" => NanoDetDecoder.TryFor(model),
                "fastestdet" => FastestDetDecoder.TryFor(model),
                _ => BoxesAndScoresDecoder.TryFor(model),
            };
            if (decoder is not null) return decoder;
        }
        return null;
    }

    /// <summary>The decoder for a model's outputs.</summary>
    /// <exception cref="InvalidDataException">None fits: the message says what the model has and what the decoders want.</exception>
    public static DetectionDecoder For(IModelRunner model, string? name = null) => TryFor(model, name) ?? throw new InvalidDataException(
        $"{(name is null ? "no decoder reads" : $"decoder '{name}' does not read")} the outputs {string.Join(", ", model.Outputs)} of input {string.Join(", ", model.Inputs)}; "
        + $"expected {string.Join("; or ", Known.Where(pair => name is null || pair.Key == name).Select(pair => $"{pair.Key}: {pair.Value}"))}");

    /// <summary>Rows and columns of the pictures that a model takes; null where it leaves them open or takes no pictures.</summary>
    internal static (int Height, int Width)? SizeOf(IModelRunner model) =>
        model.Inputs is [var input] && PictureInput.TryFrom(input) is { Height: { } height, Width: { } width } ? (height, width) : null;

    /// <summary>The known length of a dimension; -1 where it is open.</summary>
    internal static long Length(ValueInfo value, int axis) => value.Shape is { } shape && axis < shape.Rank && shape[axis].IsKnown ? shape[axis].Length : -1;
}
