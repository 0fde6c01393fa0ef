using Fewbit.Recipes;
using Fewbit.Storage;

namespace Fewbit.Quantization;

/// <summary>How a model is quantized.</summary>
public enum QuantizationMode
{
    /// <summary>Integers with ranges from calibration data.</summary>
    Static,
    /// <summary>Blocks of codes for MatMul and Gemm; activations stay float.</summary>
    WeightOnly,
    /// <summary>MatMul and Gemm in integers, their inputs quantized while the model runs.</summary>
    Dynamic,
    /// <summary>Half precision.</summary>
    Float16,
}

/// <summary>Everything that a quantization is made of but the model: mode, data, formats, ranges, transforms, learning. Read from YAML and written to it.</summary>
public sealed record QuantizationRecipe
{
    /// <summary>Name of the recipe's section.</summary>
    public const string Section = "quantization";

    /// <summary>Which of the options below count. Default: static.</summary>
    public QuantizationMode Mode { get; init; }

    /// <summary>Settings of <see cref="QuantizationMode.Static"/>.</summary>
    public QuantizationOptions Options { get; init; } = new();

    /// <summary>Settings of <see cref="QuantizationMode.WeightOnly"/>.</summary>
    public WeightOnlyOptions WeightOnly { get; init; } = new();

    /// <summary>Settings of <see cref="QuantizationMode.Dynamic"/>.</summary>
    public DynamicOptions Dynamic { get; init; } = new();

    /// <summary>Settings of <see cref="QuantizationMode.Float16"/>.</summary>
    public Float16Options Float16 { get; init; } = new();

    /// <summary>File or folder that ranges are estimated on.</summary>
    public string? Calibration { get; init; }

    /// <summary>File or folder to judge by.</summary>
    public string? Data { get; init; }

    /// <summary>Samples to calibrate on, at least 1; null for as many as the method needs.</summary>
    public int? Samples { get; init => field = value is { } count ? Tensors.Require.InRange(count, 1, int.MaxValue, nameof(Samples)) : null; }

    /// <summary>Seed of every draw. Default: 0.</summary>
    public long Seed { get; init; }

    /// <summary>From picture to input: a preset or a JSON file; null for what the model states.</summary>
    public string? Preprocess { get; init; }

    /// <summary>File with the classes in order.</summary>
    public string? Labels { get; init; }

    /// <summary>Regular expression on file names whose group is the class.</summary>
    public string? LabelPattern { get; init; }

    /// <summary>Array that holds the labels.</summary>
    public string? LabelKey { get; init; }

    /// <summary>Lengths of inputs that the model leaves open: <c>x=1,3,224,224</c>.</summary>
    public IReadOnlyList<string> InputShapes { get; init; } = [];

    /// <summary>Reads a recipe file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It is no valid recipe; the message names file, line and key.</exception>
    public static QuantizationRecipe Read(string path) => From(RecipeFile.Read(path, Section));

    /// <summary>Reads the text of a recipe.</summary>
    /// <param name="yaml">The text.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <exception cref="InvalidDataException">It is no valid recipe; the message names source, line and key.</exception>
    public static QuantizationRecipe Parse(string yaml, string source = "recipe") => From(RecipeFile.Parse(yaml, source, Section));

    /// <summary>Writes a recipe file with every setting that counts in the mode, defaults included, in place of an older one.</summary>
    public void Write(string path) => AtomicFile.Write(path, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(ToYaml())));

    /// <summary>The text of the recipe; <see cref="Parse"/> reads the same recipe from it.</summary>
    public string ToYaml() => RecipeWriter.Recipe(Section, QuantizationRecipeWriter.Write(this));

    internal static QuantizationRecipe From(RecipeMap map) => map.Read(QuantizationRecipeReader.Read);
}
