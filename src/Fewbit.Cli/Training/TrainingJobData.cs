using Fewbit.Cli.Console;
using Fewbit.Cli.Inspection;
using Fewbit.Data;
using Fewbit.Data.Text;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.Tensors;
using Fewbit.Training;
using Fewbit.Weights;

namespace Fewbit.Cli.Training;

/// <summary>The model that a recipe starts from, and its data in the model's form.</summary>
/// <param name="Model">The model.</param>
/// <param name="Source">What to learn from.</param>
/// <param name="Validation">What to judge by; null without.</param>
/// <param name="Vocabulary">What token numbers mean; null where the data are no text.</param>
internal sealed record TrainingJobData(Graph Model, ITrainingSource Source, ITrainingSource? Validation, Vocabulary? Vocabulary)
{
    private const int LargestSmallPicture = 64;

    /// <param name="recipe">What to open.</param>
    /// <param name="file">The model's file; null where it is a reference model.</param>
    public static TrainingJobData Open(TrainingRecipe recipe, string? file)
    {
        Graph? model = file is null ? null : OnnxFile.Load(file);
        ReferenceModel? reference = file is null ? ReferenceModels.Find(recipe.Model!) : null;
        bool takesTokens = reference?.TakesTokens ?? model!.Inputs.Any(input => input is { Constant: null, Type: ElementType.Int64, Shape.Rank: 2 }) && model.Outputs[0].Shape is { Rank: 3 };
        return takesTokens ? OpenText(recipe, model, reference) : OpenSamples(recipe, model, reference);
    }

    private static TrainingJobData OpenSamples(TrainingRecipe recipe, Graph? loaded, ReferenceModel? reference)
    {
        DataSet data = OpenDataSet(recipe, recipe.Data!);
        DataSet? validation = recipe.Validation is { } named ? OpenDataSet(recipe, named) : null;
        if (validation is null && recipe.ValidationShare > 0) (data, validation) = SampleSelection.Split(data, recipe.Seed, recipe.ValidationShare);
        Graph model = loaded ?? Create(reference!, recipe, data.ClassNames?.Count ?? (data.Labels is { } labels ? labels.Max() + 1 : null));
        LoadWeights(model, recipe);
        Preprocessing? preprocessing = data.IsPictures ? ChoosePreprocessing(recipe, model, isFile: loaded is not null) : null;
        if (preprocessing is not null) PreprocessingMetadata.Write(model, preprocessing);
        return new(model,
            new DataSetSource(data, model, preprocessing, new() { BatchSize = recipe.Batch, Seed = recipe.Seed, DropLast = recipe.DropsLast, Augmentation = recipe.Augment }),
            validation is null ? null : new DataSetSource(validation, model, preprocessing, new() { BatchSize = recipe.Batch, Shuffle = false, DropLast = false }), null);
    }

    private static TrainingJobData OpenText(TrainingRecipe recipe, Graph? loaded, ReferenceModel? reference)
    {
        Vocabulary? given = recipe.Vocabulary is { } path ? Vocabulary.Load(path) : null;
        TokenStream text = TokenStream.Open(recipe.Data!, given, recipe.Tokens);
        TokenStream? validation = recipe.Validation is { } named ? TokenStream.Open(named, text.Vocabulary) : null;
        if (validation is null && recipe.ValidationShare > 0) (text, validation) = text.Split(recipe.ValidationShare);
        Graph model = loaded ?? Create(reference!, recipe, text.VocabularySize);
        LoadWeights(model, recipe);
        int tokens = recipe.InputSize ?? reference?.InputSize ?? Fixed(model) ?? throw new UsageException("the model leaves open how many tokens a row has: give --input-size");
        return new(model, TokenSource.Random(text, model, tokens, recipe.Batch, recipe.Seed, recipe.Options.StepsPerEpoch),
            validation is null ? null : TokenSource.Consecutive(validation, model, tokens), text.Vocabulary);
    }

    private static int? Fixed(Graph model) => model.Inputs[0].Shape is { Rank: 2 } shape && shape[1].IsKnown ? (int)shape[1].Length : null;

    private static DataSet OpenDataSet(TrainingRecipe recipe, string path)
    {
        DataSet data = DataSetReader.Open(path, new() { Labels = recipe.Labels is null ? null : LabelMap.Read(recipe.Labels), LabelPattern = recipe.LabelPattern, LabelKey = recipe.LabelKey });
        return data.Count > 0 ? data : throw new InvalidDataException($"{path}: holds no samples");
    }

    private static Graph Create(ReferenceModel reference, TrainingRecipe recipe, int? classes) =>
        reference.Create(new() { Classes = recipe.Classes ?? classes, InputSize = recipe.InputSize, Seed = recipe.Seed });

    private static void LoadWeights(Graph model, TrainingRecipe recipe)
    {
        if (recipe.Weights is { } path) WeightLoader.Load(model, WeightFile.Read(path), path);
    }

    private static Preprocessing ChoosePreprocessing(TrainingRecipe recipe, Graph model, bool isFile)
    {
        if (recipe.Preprocess is { } named) return Preprocessing.Parse(named);
        if (PreprocessingMetadata.Read(model) is { } stated) return stated;
        if (isFile) throw new UsageException($"the model does not state how its pictures are prepared: give --preprocess {string.Join("|", Preprocessing.Presets.Select(preset => preset.Name))} or a JSON file");
        return model.Inputs[0].Shape is { Rank: 4 } shape && shape[2].IsKnown && shape[2].Length <= LargestSmallPicture ? Preprocessing.Cifar10 : Preprocessing.ImageNet;
    }
}
