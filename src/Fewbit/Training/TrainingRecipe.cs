using Fewbit.Data.Text;
using Fewbit.Data.Training;
using Fewbit.Recipes;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>Everything that a training is made of: model, data, and how to learn. Read from YAML.</summary>
public sealed record TrainingRecipe
{
    /// <summary>Name of the recipe's section.</summary>
    public const string Section = "training";

    /// <summary>ONNX file, or name of a reference model.</summary>
    public string? Model { get; init; }

    /// <summary>Weights to start from: a safetensors, .npz or PyTorch file; null for those of the model.</summary>
    public string? Weights { get; init; }

    /// <summary>Classes of a reference model, 2 and up; null for as many as the data have.</summary>
    public int? Classes { get; init; }

    /// <summary>Height and width of pictures, or tokens, of a reference model; null for those of the paper.</summary>
    public int? InputSize { get; init; }

    /// <summary>File or folder to learn from.</summary>
    public string? Data { get; init; }

    /// <summary>File or folder to judge by after each epoch; null for none.</summary>
    public string? Validation { get; init; }

    /// <summary>Share of the data that is held out to judge by where <see cref="Validation"/> names none, 0 to 0.9. Default 0.</summary>
    public double ValidationShare { get; init => field = Require.InRange(value, 0, 0.9, nameof(ValidationShare)); }

    /// <summary>From picture to input: a preset or a JSON file; null for what the model states.</summary>
    public string? Preprocess { get; init; }

    /// <summary>File with the classes in order.</summary>
    public string? Labels { get; init; }

    /// <summary>Regular expression on file names whose group is the class.</summary>
    public string? LabelPattern { get; init; }

    /// <summary>Array that holds the labels.</summary>
    public string? LabelKey { get; init; }

    /// <summary>For text: what a token is. Default: a character.</summary>
    public VocabularyKind Tokens { get; init; }

    /// <summary>For text: the file of its vocabulary; null makes one from the data.</summary>
    public string? Vocabulary { get; init; }

    /// <summary>Samples a step, 1 to 65536. Default 128.</summary>
    public int Batch { get; init => field = Require.InRange(value, 1, 65536, nameof(Batch)); } = 128;

    /// <summary>Whether samples that fill no whole batch are left out of an epoch. Default: they make a smaller batch.</summary>
    public bool DropsLast { get; init; }

    /// <summary>Seed of weights, order and augmentation. Default 0.</summary>
    public int Seed { get; init; }

    /// <summary>Random changes of pictures. Default: none.</summary>
    public AugmentationOptions Augment { get; init; } = AugmentationOptions.None;

    /// <summary>How to learn.</summary>
    public TrainingOptions Options { get; init; } = new();

    /// <summary>Reads a recipe file.</summary>
    /// <exception cref="InvalidDataException">It is no valid recipe; the message names file, line and key.</exception>
    public static TrainingRecipe Load(string path) => From(RecipeFile.Read(path, Section));

    /// <summary>Reads the section of a recipe.</summary>
    internal static TrainingRecipe From(RecipeMap map) => map.Read(TrainingRecipeReader.Read);
}
